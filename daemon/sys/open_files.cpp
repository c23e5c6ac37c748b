#include "open_files.hpp"

#include <algorithm>

#include "syscalls.hpp"

namespace echod::sys {

OpenFilesLimit open_files_limit() noexcept {
  rlimit limit{};
  (void)calls::getrlimit(RLIMIT_NOFILE, &limit);  // Cannot fail with these arguments.
  return {.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

OpenFilesLimit set_open_files(std::uint64_t wanted) noexcept {
  const OpenFilesLimit now = open_files_limit();
  if (wanted == 0) {
    wanted = now.hard;
  }
  rlimit limit{.rlim_cur = wanted, .rlim_max = std::max<rlim_t>(wanted, now.hard)};
  if (calls::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    limit = {.rlim_cur = std::min<rlim_t>(wanted, now.hard), .rlim_max = now.hard};
    (void)calls::setrlimit(RLIMIT_NOFILE, &limit);  // Refused too: the old limits stay in force.
  }
  return open_files_limit();
}

}  // namespace echod::sys
