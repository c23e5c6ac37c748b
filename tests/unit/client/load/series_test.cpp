#include "client/load/series.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kWindow{10};

IntervalTally echoes(std::uint64_t count, milliseconds latency = milliseconds(1)) {
  IntervalTally tally;
  tally.counts.echoes = count;
  tally.latency.record(latency, count);
  return tally;
}

class SeriesTest : public testing::Test {
 protected:
  void add(std::size_t worker, std::size_t number, const IntervalTally& tally) {
    series_.add(worker, number, tally, false, kWindow);
  }
  void end(std::size_t worker, std::size_t number, const IntervalTally& tally,
           std::chrono::nanoseconds window = kWindow) {
    series_.add(worker, number, tally, true, window);
  }
  [[nodiscard]] std::vector<std::uint64_t> all_echoes() const {
    std::vector<std::uint64_t> all;
    for (const Interval& interval : series_.intervals()) {
      all.push_back(interval.counts.echoes);
    }
    return all;
  }

  std::vector<Interval> told_;
  Series series_{seconds(1), 2, [this](const Interval& interval) { told_.push_back(interval); }};
};

TEST_F(SeriesTest, AnIntervalEndsWhenAllWorkersHaveFinishedIt) {
  add(0, 0, echoes(3));
  EXPECT_TRUE(told_.empty());
  add(0, 1, echoes(5));
  EXPECT_TRUE(told_.empty());
  add(1, 0, echoes(4));
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].begin, seconds(0));
  EXPECT_EQ(told_[0].length, seconds(1));
  EXPECT_EQ(told_[0].counts.echoes, 7U);
  add(1, 1, echoes(6));
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[1].begin, seconds(1));
  EXPECT_EQ(all_echoes(), (std::vector<std::uint64_t>{7, 11}));
}

TEST_F(SeriesTest, PercentilesAreThoseOfAllWorkersAndOfTheIntervalAlone) {
  add(0, 0, echoes(98, milliseconds(1)));
  add(1, 0, echoes(2, milliseconds(9)));
  add(0, 1, echoes(1, milliseconds(5)));
  add(1, 1, {});
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].latencies, 100U);
  EXPECT_NEAR(static_cast<double>(told_[0].p50->count()), 1e6, 1e3);
  EXPECT_EQ(told_[0].p99, milliseconds(9));
  EXPECT_EQ(told_[0].max, milliseconds(9));
  EXPECT_FALSE(told_[1].p50) << "a median needs two latencies";
  EXPECT_EQ(told_[1].max, milliseconds(5));
}

TEST_F(SeriesTest, ADelayedWorkerMayFinishSeveralIntervalsAtOnce) {
  add(0, 0, echoes(1));
  add(0, 1, echoes(2));
  add(0, 2, echoes(4));
  add(1, 0, echoes(8));
  add(1, 2, echoes(16));
  EXPECT_EQ(all_echoes(), (std::vector<std::uint64_t>{9, 2, 20}));
}

TEST_F(SeriesTest, TheLastIntervalEndsWithTheWindow) {
  add(0, 0, echoes(1));
  add(1, 0, echoes(1));
  end(0, 1, echoes(1), milliseconds(1300));
  end(1, 1, echoes(1), milliseconds(1300));
  ASSERT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].length, seconds(1));
  EXPECT_EQ(told_[1].length, milliseconds(300));
}

TEST_F(SeriesTest, AWorkerThatHasEndedDelaysNoIntervalAndLosesNoCounts) {
  end(0, 0, echoes(1));
  add(1, 0, echoes(2));
  add(1, 1, echoes(4));
  EXPECT_EQ(all_echoes(), (std::vector<std::uint64_t>{3, 4}));
  end(1, 2, echoes(8));
  EXPECT_EQ(all_echoes(), (std::vector<std::uint64_t>{3, 4, 8}));
}

TEST_F(SeriesTest, AWindowThatNeverBeganHasNoLength) {
  end(0, 0, {}, seconds(0));
  end(1, 0, {}, seconds(0));
  ASSERT_EQ(told_.size(), 1U);
  EXPECT_EQ(told_[0].length, seconds(0));
}

TEST(IntervalCountsTest, AreTheDifferenceOfTwoTallies) {
  Tally tally;
  tally.echoes = 1;
  tally.bytes_sent = 2;
  tally.bytes_received = 3;
  tally.lost = 4;
  tally.datagrams.lost = 5;
  tally.count(LoadError::reset, "");
  const IntervalCounts before = IntervalCounts::of(tally);
  EXPECT_EQ(before, (IntervalCounts{.echoes = 1,
                                    .bytes_sent = 2,
                                    .bytes_received = 3,
                                    .errors = 1,
                                    .lost = 4,
                                    .lost_datagrams = 5}));
  tally.echoes = 11;
  tally.bytes_sent = 22;
  tally.bytes_received = 33;
  tally.lost = 44;
  tally.datagrams.lost = 55;
  tally.count(LoadError::corrupted, "");
  IntervalCounts sum = IntervalCounts::of(tally).since(before);
  EXPECT_EQ(sum, (IntervalCounts{.echoes = 10,
                                 .bytes_sent = 20,
                                 .bytes_received = 30,
                                 .errors = 1,
                                 .lost = 40,
                                 .lost_datagrams = 50}));
  sum.add(before);
  EXPECT_EQ(sum, IntervalCounts::of(tally));
}

}  // namespace
}  // namespace echod::client
