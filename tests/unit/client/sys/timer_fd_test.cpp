#include "client/sys/timer_fd.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <system_error>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(TimerFdTest, IsSetToTheNanosecondOfTheMonotonicClock) {
  ScriptedKernel kernel;
  kernel.expect_timerfd(kFd);
  sys::TimerFd timer;
  EXPECT_EQ(timer.fd(), kFd);
  for (const nanoseconds moment : {nanoseconds(1), nanoseconds(999'999'999),
                                   nanoseconds(seconds(1)), seconds(1'000'000) + nanoseconds(1)}) {
    kernel.expect_timer_set(kFd, moment);
    timer.expire_at(sys::TimePoint(moment));
  }
}

TEST(TimerFdTest, AMomentLongAgoDoesNotSwitchItOff) {
  ScriptedKernel kernel;
  kernel.expect_timerfd(kFd);
  sys::TimerFd timer;
  kernel.expect_timer_set(kFd, nanoseconds(1));
  timer.expire_at(sys::TimePoint(nanoseconds(0)));
  kernel.expect_timer_set(kFd, nanoseconds(1));
  timer.expire_at(sys::TimePoint(nanoseconds(-5)));
}

TEST(TimerFdTest, ThrowsWhereThereIsNone) {
  ScriptedKernel kernel;
  kernel.expect_timerfd(kFd, EMFILE);
  try {
    const sys::TimerFd timer;
    FAIL() << "nothing was thrown";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EMFILE);
    EXPECT_NE(std::string(error.what()).find("timerfd_create"), std::string::npos);
  }
}

TEST(TimerFdTest, ClosesItsDescriptor) {
  ScriptedKernel kernel;
  kernel.expect_timerfd(kFd);
  { const sys::TimerFd timer; }
  EXPECT_TRUE(kernel.was_closed(kFd));
}

// The real one.

bool is_readable(const sys::TimerFd& timer, int timeout_ms) {
  pollfd watched{.fd = timer.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&watched, 1, timeout_ms) == 1;
}

TEST(RealTimerFdTest, IsReadableFromItsMomentOnAndNotBeforeItsNext) {
  sys::TimerFd timer;
  EXPECT_FALSE(is_readable(timer, 0));
  const sys::TimePoint moment = sys::MonotonicClock::now() + std::chrono::milliseconds(2);
  timer.expire_at(moment);
  constexpr int kNever = -1;
  EXPECT_TRUE(is_readable(timer, kNever));
  EXPECT_GE(sys::MonotonicClock::now(), moment);
  EXPECT_TRUE(is_readable(timer, 0));
  timer.expire_at(sys::MonotonicClock::now() + std::chrono::hours(1));
  EXPECT_FALSE(is_readable(timer, 0));
  timer.expire_at(moment);  // Past.
  EXPECT_TRUE(is_readable(timer, kNever));
}

}  // namespace
}  // namespace echod::test
