#include "client/measure/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Moments = std::vector<sys::TimePoint>;

// Like on a machine with an uptime of one year.
const sys::TimePoint kStart(std::chrono::hours(24 * 365) + nanoseconds(123'456'789));

// When the next message is due after skipping `messages`.
sys::TimePoint due_after(Schedule schedule, std::uint64_t messages) {
  schedule.skip(messages);
  return schedule.due();
}

// When the first `count` messages are due.
Moments moments_of(Schedule schedule, std::size_t count) {
  Moments moments;
  for (std::size_t i = 0; i < count; ++i) {
    moments.push_back(schedule.due());
    schedule.skip();
  }
  return moments;
}

TEST(ScheduleTest, TheFirstMessageIsDueAtTheStart) {
  EXPECT_EQ(Schedule(kStart, 1000).due(), kStart);
  EXPECT_EQ(Schedule(kStart, 0.001).due(), kStart);
}

TEST(ScheduleTest, MessagesAreDueAtTheRate) {
  const Schedule schedule(kStart, 1000);
  EXPECT_EQ(due_after(schedule, 1), kStart + milliseconds(1));
  EXPECT_EQ(due_after(schedule, 1000), kStart + seconds(1));
  EXPECT_EQ(due_after(Schedule(kStart, 0.5), 3), kStart + seconds(6));
  EXPECT_EQ(moments_of(schedule, 1001).back(), kStart + seconds(1));
}

TEST(ScheduleTest, ThereIsNoDriftAfterABillionMessages) {
  constexpr std::uint64_t kMessages = 1'000'000'000;
  EXPECT_EQ(due_after(Schedule(kStart, 1000), kMessages), kStart + seconds(1'000'000));
  // The interval is not a whole number of nanoseconds. After ten years a double is exact to 64 ns.
  EXPECT_NEAR(static_cast<double>((due_after(Schedule(kStart, 3), kMessages) - kStart).count()),
              333'333'333'333'333'333.0, 64);
  EXPECT_EQ(due_after(Schedule(kStart, 3'000'000), kMessages) - kStart,
            nanoseconds(333'333'333'333));
  EXPECT_EQ(due_after(Schedule(kStart, 30'000), kMessages * 3) - kStart, seconds(100'000));
}

TEST(ScheduleTest, AMessageIsNeverDueBeforeTheOneBeforeIt) {
  for (const double rate : {0.7, 999.9, 1e6, 7e8, 3e9}) {
    for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>(), {7}}) {
      const Moments moments = moments_of(Schedule(kStart, rate, {}, seed), 10'000);
      EXPECT_TRUE(std::is_sorted(moments.begin(), moments.end())) << rate;
      EXPECT_GE(moments.front(), kStart);
    }
  }
}

TEST(ScheduleTest, AVeryLowRateDoesNotOverflow) {
  const sys::TimePoint never = kStart + std::chrono::hours(24 * 365);
  EXPECT_GT(due_after(Schedule(kStart, 1e-30), 1), never);
  EXPECT_GT(due_after(Schedule(kStart, 1e-6), UINT64_MAX), never);
  EXPECT_GT(due_after(Schedule(kStart, 1e-30, {}, 7), 1), never);
}

TEST(ScheduleTest, WorkersTakeTurnsAndTogetherSendAll) {
  Moments together = moments_of(
      Schedule(kStart, 1000, {.first = 0, .step = 2, .connections = 2, .all_connections = 3}), 6);
  const Moments other = moments_of(
      Schedule(kStart, 1000, {.first = 1, .step = 2, .connections = 1, .all_connections = 3}), 3);
  together.insert(together.end(), other.begin(), other.end());
  std::sort(together.begin(), together.end());
  EXPECT_EQ(together, moments_of(Schedule(kStart, 1000), 9));
}

TEST(ScheduleTest, CountsMessagesDueBeforeAMoment) {
  Schedule schedule(kStart, 1000);
  EXPECT_EQ(schedule.count_before(kStart), 0U);
  EXPECT_EQ(schedule.count_before(kStart + nanoseconds(1)), 1U);
  EXPECT_EQ(schedule.count_before(kStart + seconds(1)), 1000U);
  schedule.skip(998);
  EXPECT_EQ(schedule.count_before(kStart + seconds(1)), 2U);
  EXPECT_EQ(schedule.count_before(kStart), 0U);
}

// Steps.

TEST(ScheduleTest, TheRateChangesAtAMoment) {
  Schedule schedule(kStart, 1000);
  schedule.change_rate(kStart + milliseconds(2), 2000);
  schedule.change_rate(kStart + milliseconds(3), 500);
  Moments expected;
  for (const int tenths : {0, 10, 20, 25, 30, 50, 70, 90}) {
    expected.push_back(kStart + std::chrono::microseconds(100 * tenths));
  }
  EXPECT_EQ(moments_of(schedule, expected.size()), expected);
}

TEST(ScheduleTest, AStepMayHaveNoMessageOfAWorker) {
  Schedule schedule(kStart, 1000, {.first = 5, .step = 1, .connections = 1, .all_connections = 6});
  schedule.change_rate(kStart + milliseconds(3), 2000);  // Due at 5 ms, and then at 5.5 ms.
  schedule.change_rate(kStart + milliseconds(4), 10'000);
  EXPECT_EQ(schedule.due(), kStart + milliseconds(5));
  schedule.skip();
  EXPECT_EQ(schedule.due(), kStart + milliseconds(4) + std::chrono::microseconds(500));
}

TEST(ScheduleTest, WithStepsWorkersTogetherSendAll) {
  const auto steps = [](const ScheduleShare& part) {
    Schedule schedule(kStart, 1000, part);
    schedule.change_rate(kStart + milliseconds(10), 3000);
    schedule.change_rate(kStart + milliseconds(20), 700);
    Moments moments;
    for (; schedule.due() < kStart + milliseconds(40); schedule.skip()) {
      moments.push_back(schedule.due());
    }
    return moments;
  };
  Moments together = steps({.first = 0, .step = 2, .connections = 2, .all_connections = 3});
  const Moments other = steps({.first = 1, .step = 2, .connections = 1, .all_connections = 3});
  together.insert(together.end(), other.begin(), other.end());
  std::sort(together.begin(), together.end());
  EXPECT_EQ(together, steps({}));
  EXPECT_EQ(together.size(), 10U + 30U + 14U);
}

TEST(ScheduleTest, CountsUpToTheNextChangeOfTheRate) {
  Schedule schedule(kStart, 1000);
  schedule.change_rate(kStart + seconds(1), 2000);
  EXPECT_EQ(schedule.count_before(kStart + seconds(2)), 1000U);
  schedule.skip(1000);
  EXPECT_EQ(schedule.due(), kStart + seconds(1));
  EXPECT_EQ(schedule.count_before(kStart + seconds(2)), 2000U);
}

// Random arrivals. The seeds are fixed, so the figures are always the same.

constexpr std::size_t kMany = 100'000;
constexpr double kRate = 1000;

class PoissonScheduleTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  [[nodiscard]] static Moments moments(const ScheduleShare& part = {}) {
    return moments_of(Schedule(kStart, kRate, part, GetParam()), kMany);
  }
};

TEST_P(PoissonScheduleTest, GapsAreExponential) {
  std::vector<double> gaps;
  sys::TimePoint last = kStart;
  for (const sys::TimePoint moment : moments()) {
    gaps.push_back(std::chrono::duration<double>(moment - last).count() * kRate);
    last = moment;
  }
  std::sort(gaps.begin(), gaps.end());
  // Kolmogorov-Smirnov test. The greatest distance from the distribution function exceeds
  // 1.95 / sqrt(count) once in a thousand times.
  double greatest = 0;
  for (std::size_t i = 0; i < kMany; ++i) {
    const double share = 1 - std::exp(-gaps[i]);
    greatest = std::max(greatest, std::abs(share - static_cast<double>(i) / kMany));
  }
  EXPECT_LT(greatest, 1.95 / std::sqrt(kMany));
}

TEST_P(PoissonScheduleTest, CountsOfDisjointTimesVaryAsMuchAsTheirMean) {
  constexpr double kPerSlot = 10;
  std::vector<double> counts(kMany / kPerSlot * 0.9);  // Only complete slots.
  for (const sys::TimePoint moment : moments()) {
    const double slot = std::chrono::duration<double>(moment - kStart).count() * kRate / kPerSlot;
    if (slot < static_cast<double>(counts.size())) {
      ++counts[static_cast<std::size_t>(slot)];
    }
  }
  double mean = 0;
  double squares = 0;
  for (const double count : counts) {
    mean += count / static_cast<double>(counts.size());
    squares += count * count / static_cast<double>(counts.size());
  }
  EXPECT_NEAR(mean, kPerSlot, 0.15);
  EXPECT_NEAR((squares - mean * mean) / mean, 1, 0.06);
}

TEST_P(PoissonScheduleTest, AWorkerHasItsShareOfTheRate) {
  const ScheduleShare part{.first = 1, .step = 4, .connections = 3, .all_connections = 12};
  const double time = std::chrono::duration<double>(moments(part).back() - kStart).count();
  EXPECT_NEAR(kMany / time, kRate / 4, kRate / 4 * 0.015);
}

TEST_P(PoissonScheduleTest, EachStepHasItsRate) {
  Schedule schedule(kStart, kRate, {.first = 1, .step = 2, .connections = 1, .all_connections = 2},
                    GetParam());
  schedule.change_rate(kStart + seconds(100), 4 * kRate);
  schedule.change_rate(kStart + seconds(200), kRate / 10);
  std::vector<double> counts(3);
  for (; schedule.due() < kStart + seconds(300); schedule.skip()) {
    ++counts[static_cast<std::size_t>((schedule.due() - kStart) / seconds(100))];
  }
  EXPECT_NEAR(counts[0], 50'000, 5 * std::sqrt(50'000));
  EXPECT_NEAR(counts[1], 200'000, 5 * std::sqrt(200'000));
  EXPECT_NEAR(counts[2], 5000, 5 * std::sqrt(5000));
}

TEST_P(PoissonScheduleTest, TheSameSeedGivesTheSameGapsAndAnotherSeedDifferentOnes) {
  EXPECT_EQ(moments(), moments());
  EXPECT_NE(moments_of(Schedule(kStart, kRate, {}, GetParam() + 1), 10),
            moments_of(Schedule(kStart, kRate, {}, GetParam()), 10));
}

TEST_P(PoissonScheduleTest, SkippingManyMessagesUsesTheMeanGap) {
  Schedule schedule(kStart, kRate, {}, GetParam());
  const sys::TimePoint begin = schedule.due();
  EXPECT_EQ(schedule.count_before(begin), 0U);
  EXPECT_EQ(schedule.count_before(begin + nanoseconds(1)), 1U);
  EXPECT_NEAR(static_cast<double>(schedule.count_before(begin + seconds(10))), 10'001, 1);
  schedule.skip(10'000);
  EXPECT_NEAR(static_cast<double>((schedule.due() - begin).count()), 1e10, 2);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoissonScheduleTest,
                         testing::Values(0, 1, 2, 42, UINT64_C(1) << 32, UINT64_MAX));

}  // namespace
}  // namespace echod::client
