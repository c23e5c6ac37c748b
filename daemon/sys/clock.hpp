// The monotonic clock (clock_gettime(2), CLOCK_MONOTONIC), which does not jump when the wall clock
// is set. Thread-safety: any thread.
#pragma once

#include <chrono>

#include "sys/syscalls.hpp"

namespace echod::sys {

struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;  // NOLINT(*-naming): the standard's name.

  static time_point now() noexcept {
    timespec time{};
    (void)calls::clock_gettime(CLOCK_MONOTONIC, &time);  // Cannot fail with these arguments.
    return time_point(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
  }
};

using TimePoint = MonotonicClock::time_point;
using Duration = MonotonicClock::duration;

}  // namespace echod::sys
