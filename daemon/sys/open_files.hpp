// RLIMIT_NOFILE, the number behind `ulimit -n` (getrlimit(2)).
#pragma once

#include <cstdint>

namespace echod::sys {

struct OpenFilesLimit {
  std::uint64_t soft = 0;  // Descriptors this process may hold.
  std::uint64_t hard = 0;  // How far an unprivileged process may raise `soft`.
};

[[nodiscard]] OpenFilesLimit open_files_limit() noexcept;

// Sets the soft limit to `wanted` descriptors (0: to the hard limit). Raises the hard limit too if
// `wanted` is above it and the process may. Returns what is in force afterwards, which is less than
// `wanted` when the system refused; the caller compares.
OpenFilesLimit set_open_files(std::uint64_t wanted) noexcept;

}  // namespace echod::sys
