// The limit on descriptors of the test's own process.
// Thread-safety: free of state; the limit is that of the whole process.
#pragma once

#include <sys/resource.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

namespace echod::test {

// Raises the limit to the hard one. False if that leaves no room for so many connections.
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

}  // namespace echod::test
