// Descriptors: the limit of the test's own process, and the open files of another process.
// Thread-safety: stateless; the limit is that of the whole process.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

namespace echod::test {

// Raises the soft limit to the hard limit. Returns false if that is too low for so many
// connections.
[[nodiscard]] inline bool can_hold(std::size_t connections) {
  constexpr rlim_t kSpare = 200;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw std::system_error(errno, std::system_category(), "getrlimit");
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw std::system_error(errno, std::system_category(), "setrlimit");
  }
  return limit.rlim_max >= connections + kSpare;
}

// The number of descriptors that the test's own process has open, and one for counting them.
[[nodiscard]] inline std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                       std::filesystem::directory_iterator());
}

// Returns whether `process` has this file open.
inline bool has_open(pid_t process, const std::string& file) {
  std::error_code error;
  for (std::filesystem::directory_iterator fd("/proc/" + std::to_string(process) + "/fd", error),
       end;
       !error && fd != end; fd.increment(error)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(fd->path(), gone) == file) {
      return true;
    }
  }
  return false;
}

}  // namespace echod::test
