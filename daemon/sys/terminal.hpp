// Decides whether a SIGHUP means that the terminal has closed, or requests a reload.
#pragma once

#include <sys/signalfd.h>

namespace echod::sys {

// When a terminal closes, the kernel sends SIGHUP to its foreground processes, and an interactive
// shell sends it to its jobs by kill(2). An operator who requests a reload uses kill(2) too.
//
// Thread-safety: one thread. Never blocks.
class Terminal {
 public:
  // Remembers whether the process has a terminal now. A process that ignores SIGHUP, such as one
  // started by nohup(1), counts as a process without a terminal.
  Terminal() noexcept;

  // Whether `signal`, a SIGHUP, means that the terminal has closed: the kernel sent it, or a
  // process of the same session sent it and the terminal is gone.
  [[nodiscard]] bool has_hung_up(const signalfd_siginfo& signal) const noexcept;

 private:
  bool had_terminal_;
};

}  // namespace echod::sys
