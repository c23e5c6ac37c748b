// When the messages of an open loop are due: at a constant rate from a moment on, whatever the
// server does. Latency counts from here, so that a server that stalls is charged with the wait of
// every message that it held up, not only of the one that it was working on.
// Thread-safety: a value.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "clock.hpp"

namespace echod::client {

// Which of the messages are whose, when several workers share a schedule: `all` users send in
// turns, and this one has `mine` of them, the first and every `step`th after it.
struct Part {
  std::uint64_t first = 0;
  std::uint64_t step = 1;
  std::uint64_t mine = 1;
  std::uint64_t all = 1;
};

class Schedule {
 public:
  Schedule() noexcept = default;
  // `rate_per_s` above 0, of all messages.
  Schedule(sys::TimePoint start, double rate_per_s, const Part& part = {}) noexcept
      : start_(start), interval_ns_(1e9 / rate_per_s), part_(part) {}

  // When message `number` of this part, counted from 0, is due.
  [[nodiscard]] sys::TimePoint due(std::uint64_t number) const noexcept {
    constexpr double kFarthestNs = 1e18;  // Thirty years: never, but no overflow.
    const std::uint64_t turn = number / part_.mine;
    const std::uint64_t user = part_.first + number % part_.mine * part_.step;
    const double among_all =
        static_cast<double>(turn) * static_cast<double>(part_.all) + static_cast<double>(user);
    return start_ + sys::Duration(std::llround(std::min(among_all * interval_ns_, kFarthestNs)));
  }

  // How many messages of this part are due before `moment`.
  [[nodiscard]] std::uint64_t count_before(sys::TimePoint moment) const noexcept {
    std::uint64_t fewest = 0;
    std::uint64_t most = std::uint64_t{1} << 62U;
    while (fewest < most) {
      const std::uint64_t middle = fewest + (most - fewest) / 2;
      due(middle) < moment ? fewest = middle + 1 : most = middle;
    }
    return fewest;
  }

 private:
  sys::TimePoint start_{};
  double interval_ns_ = 1;
  Part part_;
};

}  // namespace echod::client
