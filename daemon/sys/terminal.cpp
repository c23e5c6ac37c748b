#include "sys/terminal.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>

#include "sys/syscalls.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

namespace {

// Whether this process has a controlling terminal: field 7 of /proc/self/stat is 0 without one. The
// search starts after field 2, the name in parentheses, which may contain any character. Returns
// nothing if the file cannot be read, for example if no descriptor is free. Opening /dev/tty
// instead may block.
std::optional<bool> has_terminal() noexcept {
  std::array<char, 1024> text{};
  const UniqueFd stat = UniqueFd::adopt(calls::open("/proc/self/stat", O_RDONLY | O_CLOEXEC, 0));
  if (!stat.is_open() || calls::read(stat.get(), text.data(), text.size() - 1) <= 0) {
    return std::nullopt;
  }
  const char* const name_end = std::strrchr(text.data(), ')');
  int terminal = 0;
  if (name_end == nullptr || std::sscanf(name_end, ") %*c %*d %*d %*d %d", &terminal) != 1) {
    return std::nullopt;
  }
  return terminal != 0;
}

bool is_ignored(int signal) noexcept {
  struct sigaction action {};
  (void)sigaction(signal, nullptr, &action);  // Fails only for signals that do not exist.
  return action.sa_handler == SIG_IGN;
}

}  // namespace

Terminal::Terminal() noexcept
    : had_terminal_(has_terminal().value_or(false) && !is_ignored(SIGHUP)) {}

bool Terminal::has_hung_up(const signalfd_siginfo& signal) const noexcept {
  if (!had_terminal_) {
    return false;
  }
  const auto sender = static_cast<pid_t>(signal.ssi_pid);  // 0: the kernel, or another container.
  return signal.ssi_code == SI_KERNEL ||
         (sender > 0 && getsid(sender) == getsid(0) && !has_terminal().value_or(true));
}

}  // namespace echod::sys
