// Measures the time since its construction.
// Thread-safety: a value type.
#pragma once

#include "sys/clock.hpp"

namespace echod::client {

class Stopwatch {
 public:
  [[nodiscard]] sys::Duration elapsed() const noexcept {
    return sys::MonotonicClock::now() - begin_;
  }

 private:
  sys::TimePoint begin_ = sys::MonotonicClock::now();
};

}  // namespace echod::client
