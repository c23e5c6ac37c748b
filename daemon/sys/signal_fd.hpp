// Signals as a readable descriptor (signalfd(2)).
#pragma once

#include <sys/signalfd.h>

#include <initializer_list>
#include <optional>

#include "unique_fd.hpp"

namespace echod::sys {

// Blocks `signals` in the calling thread and in the threads that it starts later. A signal that
// comes then is kept for a SignalFd, or for ever.
void block_signals(std::initializer_list<int> signals) noexcept;

class SignalFd {
 public:
  // Blocks `signals` in the calling thread and takes them from here on. Must run before the first
  // other thread starts: a thread that has not blocked a signal can still be killed by it. They
  // stay blocked when this has gone: one that comes as the process ends must not kill it after all.
  // Throws std::system_error.
  explicit SignalFd(std::initializer_list<int> signals);
  ~SignalFd() = default;
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // The next pending signal's number, or nothing.
  [[nodiscard]] std::optional<int> read_signal() noexcept;
  // What else the kernel says about the signal that read_signal() returned last, such as the
  // sender.
  [[nodiscard]] const signalfd_siginfo& info() const noexcept { return info_; }

 private:
  signalfd_siginfo info_{};
  UniqueFd fd_;
};

}  // namespace echod::sys
