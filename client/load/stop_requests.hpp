// Decides what a stop signal means. The first ends the run and keeps the results so far. One that
// arrives at least a second later means: end at once. One that arrives within a second is ignored,
// because a stop often arrives twice: timeout(1) signals its child and then its group, and
// a terminal and a supervisor may both signal.
// Thread-safety: none. on_signal() may be called in a signal handler.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "sys/clock.hpp"

namespace echod::client {

enum class StopRequest : std::uint8_t { first, duplicate, now };

class StopRequests {
 public:
  static constexpr std::chrono::seconds kSameStop{1};

  [[nodiscard]] StopRequest on_signal(sys::TimePoint arrived) noexcept {
    if (!first_) {
      first_ = arrived;
      return StopRequest::first;
    }
    return arrived - *first_ < kSameStop ? StopRequest::duplicate : StopRequest::now;
  }

 private:
  std::optional<sys::TimePoint> first_;
};

}  // namespace echod::client
