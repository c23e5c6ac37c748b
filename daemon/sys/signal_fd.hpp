// Receives signals through a readable descriptor (signalfd(2)).
//
// Thread-safety: one thread. Never blocks.
#pragma once

#include <sys/signalfd.h>

#include <initializer_list>
#include <optional>
#include <string>

#include "sys/unique_fd.hpp"

namespace echod::sys {

// Returns the name of a signal ("SIGTERM"), or "signal 70" if it has none.
[[nodiscard]] std::string signal_name(int signal);

// Blocks `signals` in the calling thread and in the threads that it starts later. A blocked signal
// stays pending until a SignalFd reads it.
void block_signals(std::initializer_list<int> signals) noexcept;

class SignalFd {
 public:
  // Blocks `signals` in the calling thread and receives them from now on. Must be called before
  // another thread starts, because a signal that a thread has not blocked can kill the process. The
  // destructor does not unblock the signals, so that none of them kills a process that is ending.
  // Throws std::system_error.
  explicit SignalFd(std::initializer_list<int> signals);
  ~SignalFd() = default;
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Returns the number of the next pending signal; nothing if there is none.
  [[nodiscard]] std::optional<int> read_signal() noexcept;
  // More about the signal of the last read_signal(), such as its sender.
  [[nodiscard]] const signalfd_siginfo& info() const noexcept { return info_; }

 private:
  signalfd_siginfo info_{};
  UniqueFd fd_;
};

}  // namespace echod::sys
