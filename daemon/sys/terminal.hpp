// The terminal that this process was started in, and whether a SIGHUP says that it has gone.
#pragma once

#include <sys/signalfd.h>

namespace echod::sys {

// A terminal that closes sends SIGHUP, and so does an operator who wants a reload. The kernel sends
// the first to the foreground of the terminal; an interactive shell passes it on to its jobs by
// kill(2), as the operator does.
//
// Thread-safety: one thread. Never blocks.
class Terminal {
 public:
  // Remembers whether there is one now. A process started by nohup(1), which ignores SIGHUP, counts
  // as one without.
  Terminal() noexcept;

  // Whether `signal`, a SIGHUP, means that the terminal has gone: the kernel sent it, or a process
  // of this session did after the terminal went.
  [[nodiscard]] bool has_hung_up(const signalfd_siginfo& signal) const noexcept;

 private:
  bool was_there_;
};

}  // namespace echod::sys
