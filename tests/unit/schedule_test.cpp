#include "schedule.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace echod::client {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// As on a machine that has been up for a year.
const sys::TimePoint kStart(std::chrono::hours(24 * 365) + nanoseconds(123'456'789));

TEST(ScheduleTest, TheFirstMessageIsDueAtTheStart) {
  EXPECT_EQ(Schedule(kStart, 1000).due(0), kStart);
  EXPECT_EQ(Schedule(kStart, 0.001).due(0), kStart);
}

TEST(ScheduleTest, MessagesAreDueAtTheRate) {
  const Schedule schedule(kStart, 1000);
  EXPECT_EQ(schedule.due(1), kStart + std::chrono::milliseconds(1));
  EXPECT_EQ(schedule.due(1000), kStart + seconds(1));
  EXPECT_EQ(Schedule(kStart, 0.5).due(3), kStart + seconds(6));
}

TEST(ScheduleTest, ThereIsNoDriftAfterABillionMessages) {
  constexpr std::uint64_t kMessages = 1'000'000'000;
  EXPECT_EQ(Schedule(kStart, 1000).due(kMessages), kStart + seconds(1'000'000));
  // Intervals of no whole number of nanoseconds. After ten years a double is exact to 64 ns.
  EXPECT_NEAR(static_cast<double>((Schedule(kStart, 3).due(kMessages) - kStart).count()),
              333'333'333'333'333'333.0, 64);
  EXPECT_EQ(Schedule(kStart, 3'000'000).due(kMessages) - kStart, nanoseconds(333'333'333'333));
  EXPECT_EQ(Schedule(kStart, 30'000).due(kMessages * 3) - kStart, seconds(100'000));
}

TEST(ScheduleTest, AMessageIsNeverDueBeforeTheOneBeforeIt) {
  for (const double rate : {0.7, 999.9, 1e6, 7e8, 3e9}) {
    const Schedule schedule(kStart, rate);
    for (std::uint64_t number = 0; number < 10'000; ++number) {
      ASSERT_LE(schedule.due(number), schedule.due(number + 1)) << rate;
    }
  }
}

TEST(ScheduleTest, WhatIsDueInAThousandYearsIsNotDueNow) {
  EXPECT_GT(Schedule(kStart, 1e-30).due(1), kStart + std::chrono::hours(24 * 365));
  EXPECT_GT(Schedule(kStart, 1e-6).due(UINT64_MAX), kStart + std::chrono::hours(24 * 365));
}

}  // namespace
}  // namespace echod::client
