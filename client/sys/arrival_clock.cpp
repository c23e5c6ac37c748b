#include "client/sys/arrival_clock.hpp"

namespace echod::sys {

TimePoint ArrivalClock::arrival(WallTime stamp, TimePoint now) noexcept {
  if (!compared_at_ || now - *compared_at_ >= kInterval) {
    compare_clocks();
  }
  const TimePoint arrived(stamp.time_since_epoch() + offset_);
  return is_possible_age(now - arrived) ? arrived : now;
}

// The thread may lose its CPU between two reads, so the quickest of a few attempts counts.
void ArrivalClock::compare_clocks() noexcept {
  constexpr int kAttempts = 3;
  constexpr std::chrono::microseconds kQuick{1};
  Duration quickest = Duration::max();
  for (int attempt = 0; attempt < kAttempts && quickest > kQuick; ++attempt) {
    const TimePoint before = MonotonicClock::now();
    const WallTime wall = wall_time();
    const TimePoint after = MonotonicClock::now();
    if (after - before < quickest) {
      quickest = after - before;
      offset_ = (before + quickest / 2).time_since_epoch() - wall.time_since_epoch();
      compared_at_ = after;
    }
  }
}

}  // namespace echod::sys
