// The clocks of clock_gettime(2). Thread-safety: any thread.
#pragma once

#include <chrono>
#include <optional>

#include "sys/syscalls.hpp"

namespace echod::sys {

// CLOCK_MONOTONIC, which does not jump when the wall clock is set.
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

// A moment on the wall clock (CLOCK_REALTIME), which the kernel notes for received bytes.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

inline WallTime wall_time_of(const timespec& time) noexcept {
  return WallTime(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

inline WallTime wall_time() noexcept {
  timespec now{};
  (void)calls::clock_gettime(CLOCK_REALTIME, &now);  // Cannot fail with these arguments.
  return wall_time_of(now);
}

// Whether bytes can have arrived so long ago. If not, the wall clock was probably set in between.
inline bool is_possible_age(Duration age) noexcept {
  return age >= Duration(0) && age <= std::chrono::minutes(1);
}

// The time since `moment`. Nothing if it is not a possible age.
inline std::optional<Duration> time_since(WallTime moment) noexcept {
  const Duration elapsed = wall_time() - moment;
  return is_possible_age(elapsed) ? std::optional(elapsed) : std::nullopt;
}

}  // namespace echod::sys
