// Signals as a readable descriptor (signalfd(2)).
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

#include "unique_fd.hpp"

namespace echod::sys {

class SignalFd {
 public:
  // Blocks `signals` in the calling thread and takes them from here on. Must run before the first
  // other thread starts: a thread that has not blocked a signal can still be killed by it. The
  // destructor gives the thread its mask back.
  // Throws std::system_error.
  explicit SignalFd(std::initializer_list<int> signals);
  ~SignalFd();
  SignalFd(const SignalFd&) = delete;
  SignalFd& operator=(const SignalFd&) = delete;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // The next pending signal's number, or nothing.
  [[nodiscard]] std::optional<int> take() noexcept;

 private:
  UniqueFd fd_;
  sigset_t previous_{};
};

}  // namespace echod::sys
