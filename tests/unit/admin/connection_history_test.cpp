#include "admin/connection_history.hpp"

#include <gtest/gtest.h>

#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

constexpr double kBegin = 1'764'400'000;

class ConnectionHistoryTest : public ::testing::Test {
 protected:
  void add_at(double time) {
    snapshot_.now = time;
    history_.add(snapshot_);
  }

  Snapshot snapshot_ = filled_snapshot();
  ConnectionHistory history_;
};

TEST_F(ConnectionHistoryTest, BeginsEmpty) {
  EXPECT_EQ(history_.size(), 0U);
}

TEST_F(ConnectionHistoryTest, RemembersTheSumsOfEachSnapshot) {
  add_at(kBegin);
  ASSERT_EQ(history_.size(), 1U);
  const ConnectionHistory::Sample& sample = history_[0];
  EXPECT_EQ(sample.time, kBegin);
  EXPECT_EQ(sample.connections, open_connections(snapshot_));
  EXPECT_EQ(sample.dropped, 40U + 41U);
  EXPECT_EQ(sample.worker_stalls, 3U);
  EXPECT_EQ(sample.cpu_s, 3.75);
  EXPECT_EQ(sample.counters, total_counters(snapshot_));
  EXPECT_EQ(sample.server_delay.counts, total_server_delay(snapshot_).counts);
}

TEST_F(ConnectionHistoryTest, KeepsTenMinutes) {
  for (int i = 0; i < 1000; ++i) {
    add_at(kBegin + 2 * i);
    const double first = history_[0].time;
    EXPECT_EQ(history_[history_.size() - 1].time, kBegin + 2 * i);
    EXPECT_EQ(first, kBegin + 2 * std::max(0, i - 300));
  }
  EXPECT_EQ(history_.size(), ConnectionHistory::kMostSamples);
  for (std::size_t i = 1; i < history_.size(); ++i) {
    EXPECT_EQ(history_[i].time - history_[i - 1].time, 2);
  }
}

TEST_F(ConnectionHistoryTest, HasRoomForSamplesThatComeEarly) {
  for (int i = 0; i < 1000; ++i) {
    add_at(kBegin + i);
  }
  EXPECT_EQ(history_.size(), ConnectionHistory::kMostSamples);
  EXPECT_EQ(history_[0].time, kBegin + 999 - 300);
}

TEST_F(ConnectionHistoryTest, ForgetsWhatIsOlderAfterAPause) {
  add_at(kBegin);
  add_at(kBegin + 2);
  add_at(kBegin + 601);
  ASSERT_EQ(history_.size(), 2U);
  EXPECT_EQ(history_[0].time, kBegin + 2);
}

TEST_F(ConnectionHistoryTest, BeginsAnewIfTheClockWasSetBack) {
  add_at(kBegin);
  add_at(kBegin + 2);
  add_at(kBegin - 3600);
  ASSERT_EQ(history_.size(), 1U);
  EXPECT_EQ(history_[0].time, kBegin - 3600);
}

TEST_F(ConnectionHistoryTest, TakesOneSampleOfAMoment) {
  add_at(kBegin);
  add_at(kBegin);
  EXPECT_EQ(history_.size(), 1U);
}

}  // namespace
}  // namespace echod::test
