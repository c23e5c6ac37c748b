// Checks the timeouts of all connections periodically.
//
// A timer for each connection would cost memory, and a write for every echo. A sweep costs nothing
// while bytes flow. The interval is a sixteenth of the shortest timeout. The sweep may notice an
// acknowledgement, which is progress, one interval late, and the end of a timeout one more interval
// late. So it closes a connection at most about an eighth of the timeout too late (at least some 40
// ms, at most 20 s), and never too early.
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
