#include "sys/signal_fd.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

namespace echod::sys {

namespace {

sigset_t set_of(std::initializer_list<int> signals) noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) {
    sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

void block_signals(std::initializer_list<int> signals) noexcept {
  const sigset_t mask = set_of(signals);
  (void)pthread_sigmask(SIG_BLOCK, &mask, nullptr);  // Cannot fail with these arguments.
}

SignalFd::SignalFd(std::initializer_list<int> signals) {
  const sigset_t mask = set_of(signals);
  block_signals(signals);
  fd_ = UniqueFd::adopt(calls::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd_.is_open()) {
    throw std::system_error(errno, std::system_category(), "signalfd");
  }
}

std::optional<int> SignalFd::read_signal() noexcept {
  if (calls::read(fd_.get(), &info_, sizeof info_) != static_cast<ssize_t>(sizeof info_)) {
    return std::nullopt;
  }
  return static_cast<int>(info_.ssi_signo);
}

}  // namespace echod::sys
