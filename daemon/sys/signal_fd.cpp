#include "signal_fd.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>

namespace echod::sys {

SignalFd::SignalFd(std::initializer_list<int> signals) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : signals) {
    sigaddset(&mask, signal);
  }
  if (const int error = pthread_sigmask(SIG_BLOCK, &mask, nullptr); error != 0) {
    throw std::system_error(error, std::system_category(), "pthread_sigmask");
  }
  fd_ = UniqueFd::adopt(calls::signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd_.is_open()) {
    throw std::system_error(errno, std::system_category(), "signalfd");
  }
}

std::optional<int> SignalFd::take() noexcept {
  signalfd_siginfo info{};
  if (calls::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return std::nullopt;
  }
  return static_cast<int>(info.ssi_signo);
}

}  // namespace echod::sys
