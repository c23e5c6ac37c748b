// Converts the kernel's time stamps of received bytes, which are times of the wall clock, to the
// monotonic clock.
//
// Compares the two clocks at most once per kInterval, because reading a second clock for each
// arrival costs about 1 % of the client's CPU. If someone sets the wall clock, two kinds of
// arrivals are wrong: those read before the next comparison, and those stamped before the clock was
// set.
//
// Thread-safety: none.
#pragma once

#include <chrono>
#include <optional>

#include "sys/clock.hpp"

namespace echod::sys {

class ArrivalClock {
 public:
  static constexpr std::chrono::milliseconds kInterval{1};

  // When the bytes that the kernel stamped with `stamp` arrived. `now` is the current time. Returns
  // `now` if the result would be later, or more than a minute earlier: then the wall clock was
  // probably set.
  [[nodiscard]] TimePoint arrival(WallTime stamp, TimePoint now) noexcept;

 private:
  void compare_clocks() noexcept;

  std::optional<TimePoint> compared_at_;
  Duration offset_{0};  // The monotonic clock minus the wall clock.
};

}  // namespace echod::sys
