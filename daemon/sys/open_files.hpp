// Counts open descriptors, and reads and sets their limit: RLIMIT_NOFILE (getrlimit(2)), which is
// `ulimit -n` in a shell.
//
// Thread-safety: any thread; the limit belongs to the process. Blocks on /proc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace echod::sys {

struct OpenFilesLimit {
  std::uint64_t soft = 0;  // The limit in force.
  std::uint64_t hard = 0;  // The highest soft limit that an unprivileged process may set.
};

[[nodiscard]] OpenFilesLimit open_files_limit() noexcept;

// The default of fs.nr_open.
inline constexpr std::uint64_t kUsualMostOpenFiles = std::uint64_t{1024} * 1024;
// fs.nr_open: the kernel refuses a higher limit, even to root. Returns the default if /proc cannot
// be read.
[[nodiscard]] std::uint64_t most_open_files();

// Sets the soft limit to `wanted` descriptors (0: to the hard limit). Raises the hard limit too if
// `wanted` is higher and the process has the privilege. If the kernel refuses that, lowers a hard
// limit above `most` to `most`: otherwise the kernel refuses every change. Returns the limits that
// are in force afterwards; the soft limit is below `wanted` if the system refused.
OpenFilesLimit set_open_files(std::uint64_t wanted,
                              std::uint64_t most = most_open_files()) noexcept;

// The number of open descriptors of this process; 0 if /proc cannot be read.
[[nodiscard]] std::size_t open_descriptors() noexcept;

}  // namespace echod::sys
