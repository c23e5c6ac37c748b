// Descriptors: how many are open, and RLIMIT_NOFILE, the number behind `ulimit -n` (getrlimit(2)).
#pragma once

#include <cstddef>
#include <cstdint>

namespace echod::sys {

struct OpenFilesLimit {
  std::uint64_t soft = 0;  // Descriptors this process may hold.
  std::uint64_t hard = 0;  // How far an unprivileged process may raise `soft`.
};

[[nodiscard]] OpenFilesLimit open_files_limit() noexcept;

// fs.nr_open: the kernel refuses a limit above it, also to root. The usual one if /proc does not
// tell.
inline constexpr std::uint64_t kUsualMostOpenFiles = std::uint64_t{1024} * 1024;
[[nodiscard]] std::uint64_t most_open_files();

// Sets the soft limit to `wanted` descriptors (0: to the hard limit). Raises the hard limit too if
// `wanted` is above it and the process may. A hard limit above `most` sinks to it, because the
// kernel refuses to change the soft one otherwise. Returns what is in force afterwards, which is
// less than `wanted` when the system refused; the caller compares.
OpenFilesLimit set_open_files(std::uint64_t wanted,
                              std::uint64_t most = most_open_files()) noexcept;

// How many descriptors are open in this process; 0 if /proc does not tell.
[[nodiscard]] std::size_t open_descriptors() noexcept;

}  // namespace echod::sys
