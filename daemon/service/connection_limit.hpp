// How many connections the process can hold: limits.max_connections held against `ulimit -n`.
// Thread-safety: no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "config.hpp"
#include "open_files.hpp"

namespace echod {

struct ConnectionLimit {
  std::uint32_t max_connections = 0;  // In force.
  std::string warning;                // Both numbers and what to do, if the config asks for more.
};

// Descriptors kept back beside those of listeners and workers: logs, signals, the main thread's
// loop, libraries and an operator's surprise.
inline constexpr std::uint32_t kReservedDescriptors = 30;
inline constexpr std::uint32_t kDescriptorsPerWorker = 2;  // Its epoll instance, its wake-up.

[[nodiscard]] ConnectionLimit connection_limit(const LimitsConfig& limits,
                                               const sys::OpenFilesLimit& open_files,
                                               std::size_t listeners, std::size_t workers);

}  // namespace echod
