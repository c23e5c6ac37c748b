// Checks the timeouts of all connections periodically.
//
// A timer for each connection would cost memory, and work for every echo. The sweep asks the kernel
// at most once per connection and sweep. The interval is a sixteenth of the shortest timeout.
//
// A connection is never closed too early. It is closed late by up to two intervals, because the
// sweep may notice an acknowledgement one interval late, and the end of the timeout one more
// interval late. That is up to an eighth of the shortest timeout, at least 40 ms and at most 20 s.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <chrono>

#include "config/config.hpp"
#include "echo/connection_visit.hpp"
#include "loop/timer.hpp"

namespace echod {

struct EchoContext;

// The time between two sweeps: a sixteenth of the shortest timeout, at most 10 s.
[[nodiscard]] std::chrono::milliseconds sweep_interval(const TimeoutsConfig& timeouts,
                                                       bool is_draining) noexcept;

class TimeoutSweep {
 public:
  explicit TimeoutSweep(EchoContext& context);

  // Starts over with the current settings.
  void restart() noexcept;

 private:
  EchoContext& context_;
  ConnectionVisit visit_;
  Timer timer_;
};

}  // namespace echod
