// Checks the timeouts of all connections periodically, and counts again what splicing pins.
//
// There is no timer for each connection: it would cost memory, and work for every echo. A sweep
// asks the kernel only about connections that may have unacknowledged bytes or that seem idle for
// too long. See sweep_interval().
//
// A connection is never closed too early. It may be closed late, by up to two intervals and 20 ms:
// the sweep may notice an acknowledgement one interval late, then the end of the timeout one
// interval late, and Progress has a resolution of 10 ms. That is about an eighth of the shortest
// timeout, and never more than 20.02 s.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <chrono>

#include "config/config.hpp"
#include "echo/connection_visit.hpp"
#include "loop/timer.hpp"

namespace echod {

struct EchoContext;

// The time between two sweeps: a sixteenth of the shortest timeout, but at least 10 ms and at most
// 10 s; it is at most 1 s while spliced rounds may pin memory. A timeout of 0 does not count;
// timeouts.linger_s counts only while draining.
[[nodiscard]] std::chrono::milliseconds sweep_interval(const TimeoutsConfig& timeouts,
                                                       bool is_draining,
                                                       bool has_pinned_rounds) noexcept;

class TimeoutSweep {
 public:
  explicit TimeoutSweep(EchoContext& context);

  // Takes over the current settings. The next sweep may be earlier, but not later than it was going
  // to be: frequent reloads must not prevent it.
  void schedule() noexcept;

 private:
  EchoContext& context_;
  ConnectionVisit visit_;
  Timer timer_;
};

}  // namespace echod
