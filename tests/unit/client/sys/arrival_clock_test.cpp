#include "client/sys/arrival_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "scripted_syscalls.hpp"
#include "sys/clock.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class ArrivalClockTest : public testing::Test {
 protected:
  ArrivalClockTest() { kernel_.set_wall_clock_ahead(seconds(1'700'000'000)); }

  // How long ago bytes arrived, according to the clock, if the kernel stamped them `age` ago.
  [[nodiscard]] nanoseconds converted(nanoseconds age) {
    return converted_stamp(sys::wall_time() - age);
  }
  [[nodiscard]] nanoseconds converted_stamp(sys::WallTime stamp) {
    const sys::TimePoint now = sys::MonotonicClock::now();
    return now - clock_.arrival(stamp, now);
  }

  ScriptedKernel kernel_;
  sys::ArrivalClock clock_;
};

TEST_F(ArrivalClockTest, ConvertsATimeStampToTheMonotonicClock) {
  for (const nanoseconds age : {nanoseconds(0), nanoseconds(1), nanoseconds(minutes(1))}) {
    EXPECT_EQ(converted(age), age);
  }
}

TEST_F(ArrivalClockTest, AnArrivalOfAnImpossibleAgeCountsAsNow) {
  EXPECT_EQ(converted(minutes(1) + nanoseconds(1)), nanoseconds(0));
  EXPECT_EQ(converted(nanoseconds(-1)), nanoseconds(0));
}

TEST_F(ArrivalClockTest, ReadsNoClockUntilTheIntervalIsOver) {
  const sys::WallTime stamp = sys::wall_time();
  EXPECT_EQ(converted_stamp(stamp), nanoseconds(0));
  kernel_.set_wall_clock_ahead(seconds(5));  // A reading of the wall clock would show this.
  kernel_.advance(sys::ArrivalClock::kInterval - nanoseconds(1));
  EXPECT_EQ(converted_stamp(stamp), sys::ArrivalClock::kInterval - nanoseconds(1));
}

TEST_F(ArrivalClockTest, FollowsTheWallClockAfterTheInterval) {
  EXPECT_EQ(converted(milliseconds(3)), milliseconds(3));
  kernel_.set_wall_clock_ahead(seconds(5));
  kernel_.advance(sys::ArrivalClock::kInterval);
  EXPECT_EQ(converted(milliseconds(3)), milliseconds(3));
}

// The thread lost its CPU while it compared the clocks. The wall clock was read at the end of the 2
// ms, and is taken to be the time in their middle.
TEST_F(ArrivalClockTest, TheQuickestOfThreeSlowComparisonsCounts) {
  const sys::WallTime stamp = sys::wall_time();
  const sys::TimePoint now = sys::MonotonicClock::now();
  kernel_.delay_wall_clock_readings({milliseconds(5), milliseconds(2), milliseconds(9)});
  EXPECT_EQ(now - clock_.arrival(stamp, now), milliseconds(1));
  EXPECT_EQ(sys::MonotonicClock::now() - now, milliseconds(5 + 2 + 9)) << "no further attempt";
}

TEST_F(ArrivalClockTest, AQuickComparisonIsTheLast) {
  const sys::WallTime stamp = sys::wall_time();
  const sys::TimePoint now = sys::MonotonicClock::now();
  kernel_.delay_wall_clock_readings({milliseconds(5), nanoseconds(0), milliseconds(9)});
  EXPECT_EQ(clock_.arrival(stamp, now), now);
  EXPECT_EQ(sys::MonotonicClock::now() - now, milliseconds(5));
}

}  // namespace
}  // namespace echod::test
