// Checks all connections against their timeouts, again and again.
//
// A timer for each connection would cost it memory, and every echo a write to it. A sweep costs
// nothing while bytes flow. It learns of an acknowledgement, which is progress, up to a sixteenth
// of the shortest timeout in force after it came, and of a timeout that is over as much later: so
// it closes a connection late by at most about an eighth (at least some 40 ms, at most 20 s), and
// never early.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <chrono>

#include "config.hpp"
#include "connection_visit.hpp"
#include "timer.hpp"

namespace echod {

struct EchoContext;

// The time between two sweeps: a sixteenth of the shortest timeout, at most 10 s.
[[nodiscard]] std::chrono::milliseconds sweep_interval(const TimeoutsConfig& timeouts,
                                                       bool is_draining) noexcept;

class TimeoutSweep {
 public:
  explicit TimeoutSweep(EchoContext& context);

  // Starts over with the settings as they are now.
  void restart() noexcept;

 private:
  EchoContext& context_;
  ConnectionVisit visit_;
  Timer timer_;
};

}  // namespace echod
