#include "client/sys/timer_fd.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace echod::sys {

TimerFd::TimerFd()
    : fd_(UniqueFd::adopt(calls::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC))) {
  if (!fd_.is_open()) {
    throw std::system_error(errno, std::system_category(), "timerfd_create");
  }
}

void TimerFd::expire_at(TimePoint moment) noexcept {
  // Zero would disarm the timer.
  const std::int64_t nanos = std::max<std::int64_t>(1, moment.time_since_epoch().count());
  constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
  itimerspec when{};
  when.it_value.tv_sec = nanos / kNanosPerSecond;
  when.it_value.tv_nsec = nanos % kNanosPerSecond;
  // Cannot fail with these arguments.
  (void)calls::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when);
}

}  // namespace echod::sys
