// When the messages of an open loop are due: at a constant rate from a moment on, whatever the
// server does. Latency counts from here, so that a server that stalls is charged with the wait of
// every message that it held up, not only of the one that it was working on.
// Thread-safety: a value.
#pragma once

#include <cmath>
#include <cstdint>

#include "clock.hpp"

namespace echod::client {

class Schedule {
 public:
  Schedule() noexcept = default;
  // `rate_per_s` above 0.
  Schedule(sys::TimePoint start, double rate_per_s) noexcept
      : start_(start), interval_ns_(1e9 / rate_per_s) {}

  // When message `number`, counted from 0, is due.
  [[nodiscard]] sys::TimePoint due(std::uint64_t number) const noexcept {
    return start_ + sys::Duration(std::llround(static_cast<double>(number) * interval_ns_));
  }

 private:
  sys::TimePoint start_{};
  double interval_ns_ = 1;
};

}  // namespace echod::client
