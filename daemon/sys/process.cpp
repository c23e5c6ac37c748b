#include "sys/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string_view>

#include "sys/unique_fd.hpp"

namespace echod::sys {

void ignore_write_signals() noexcept {
  (void)std::signal(SIGPIPE, SIG_IGN);  // Fails only for signals that do not exist.
  (void)std::signal(SIGXFSZ, SIG_IGN);
}

void reap_children() noexcept {
  (void)std::signal(SIGCHLD, SIG_IGN);
  while (waitpid(-1, nullptr, WNOHANG) > 0) {  // Children that have ended already.
  }
}

void fill_standard_descriptors() noexcept {
  for (;;) {
    UniqueFd fd = UniqueFd::adopt(calls::open("/dev/null", O_RDWR, 0));
    if (!fd.is_open() || fd.get() > STDERR_FILENO) {
      return;
    }
    (void)fd.release();  // Stays open until the process ends.
  }
}

void drop_empty_variables() noexcept {
  char** end = environ;
  while (*end != nullptr) {
    ++end;
  }
  const auto is_empty = [](std::string_view variable) {
    return variable.find('=') + 1 == variable.size();
  };
  *std::remove_if(environ, end, is_empty) = nullptr;
}

void disable_huge_pages() noexcept {
  (void)prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL);
}

void name_this_thread(const std::string& name) noexcept {
  (void)prctl(PR_SET_NAME, name.c_str());  // Cannot fail with a string.
}

}  // namespace echod::sys
