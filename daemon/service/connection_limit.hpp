// How many connections the process can hold: limits.max_connections held against `ulimit -n`.
// Thread-safety: no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "echo/echo_settings.hpp"
#include "sys/open_files.hpp"

namespace echod {

struct ConnectionLimit {
  std::uint32_t max_connections = 0;  // In force.
  std::string warning;  // Both numbers and what to do, if there are fewer than wanted.
};

// Descriptors kept back beside those of listeners and workers: standard streams, logs, signals, the
// main thread's loop, libraries and an operator's surprise.
inline constexpr std::uint32_t kReservedDescriptors = 30;
inline constexpr std::uint32_t kDescriptorsPerWorker = 2;  // Its epoll instance, its wake-up.
inline constexpr std::uint32_t kDescriptorsPerPipe = 2;

// How each worker may splice (relay.hpp). It has pipes enough for what it may pin, but all together
// take at most a 32nd of the descriptors, and half of the memory that an ordinary user has for
// pipes by default (pipe-user-pages-soft, pipe(7)). It has none if buffers.splice is off, or if a
// buffer or a turn does not hold the smallest round.
[[nodiscard]] SpliceSettings splice_settings(const Config& config,
                                             const sys::OpenFilesLimit& open_files,
                                             std::size_t workers) noexcept;

// Descriptors that connections cannot have. `inherited` were open when the process started, beside
// the three standard streams and the listeners.
[[nodiscard]] std::uint64_t reserved_descriptors(std::size_t listeners, std::size_t workers,
                                                 std::size_t inherited) noexcept;

// Throws StartupError if not one connection is left.
[[nodiscard]] ConnectionLimit connection_limit(const LimitsConfig& limits,
                                               const sys::OpenFilesLimit& open_files,
                                               std::uint64_t reserve);

}  // namespace echod
