#include "sys/clock.hpp"

#include <gtest/gtest.h>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

class ClockTest : public testing::Test {
 protected:
  // Returns time_since() of a moment that is `elapsed` ago on the scripted clock.
  [[nodiscard]] std::optional<sys::Duration> since(nanoseconds elapsed) const {
    return sys::time_since(sys::WallTime(kernel_.now() - elapsed));
  }

  ScriptedKernel kernel_;
};

TEST_F(ClockTest, MeasuresTheTimeSinceAMoment) {
  EXPECT_EQ(since(nanoseconds(0)), nanoseconds(0));
  EXPECT_EQ(since(nanoseconds(1)), nanoseconds(1));
  EXPECT_EQ(since(nanoseconds(1'234'567'891)), nanoseconds(1'234'567'891));
  EXPECT_EQ(since(seconds(60)), seconds(60));
}

TEST_F(ClockTest, ATimeThatIsNegativeOrLongerThanAMinuteIsNone) {
  EXPECT_EQ(since(nanoseconds(-1)), std::nullopt);
  EXPECT_EQ(since(-seconds(3600)), std::nullopt);
  EXPECT_EQ(since(seconds(60) + nanoseconds(1)), std::nullopt);
  EXPECT_EQ(since(seconds(999)), std::nullopt);
}

TEST_F(ClockTest, ATimespecIsSecondsAndNanosecondsSince1970) {
  EXPECT_EQ(sys::wall_time_of({.tv_sec = 3, .tv_nsec = 5}).time_since_epoch(),
            seconds(3) + nanoseconds(5));
}

}  // namespace
}  // namespace echod::test
