// Computes how many connections and splice pipes the process can hold, from the configuration and
// `ulimit -n`. Thread-safety: no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "config/config.hpp"
#include "echo/echo_settings.hpp"
#include "sys/open_files.hpp"

namespace echod {

struct ConnectionLimit {
  std::uint32_t max_connections = 0;
  std::string warning;  // Set if `ulimit -n` allows only few connections; else empty.
};

// Reserved for standard streams, logs, signals, the main thread's loop and libraries, with a
// margin. Listeners and workers are counted separately.
inline constexpr std::uint32_t kReservedDescriptors = 30;
inline constexpr std::uint32_t kDescriptorsPerWorker = 2;  // Its epoll instance and its eventfd.
inline constexpr std::uint32_t kDescriptorsPerPipe = 2;

// How many descriptors the listeners have: a UDP listener has one for each worker, a UNIX listener
// has two, because of its lock.
[[nodiscard]] std::size_t descriptors_of_listeners(const Config& config,
                                                   std::size_t workers) noexcept;

// How many descriptors connections and pipes cannot use. `listeners`: the descriptors of the
// listeners. `foreign`: the descriptors that were open when the process started, without the three
// standard streams and the passed listening sockets.
[[nodiscard]] std::uint64_t reserved_descriptors(std::size_t listeners, std::size_t workers,
                                                 std::size_t foreign) noexcept;

// How many descriptors are left for connections and pipes if `reserved` are needed for other
// things. Throws StartupError if none is left.
[[nodiscard]] std::uint64_t usable_descriptors(const LimitsConfig& limits,
                                               const sys::OpenFilesLimit& open_files,
                                               std::uint64_t reserved);

// The splice settings of each worker (relay.hpp). A worker gets the smaller of these numbers of
// pipes; the first may be 0:
// - its share of 1/32 of the usable descriptors
// - its share of 128, but at least 1. 128 pipes use half of the default of fs.pipe-user-pages-soft
//   (pipe(7)).
// There are no pipes if buffers.splice is off, or if a buffer or a turn is smaller than the
// smallest round.
[[nodiscard]] SpliceSettings splice_settings(const Config& config, std::uint64_t usable,
                                             std::size_t workers) noexcept;

// `usable`: descriptors that are left after the pipes.
[[nodiscard]] ConnectionLimit connection_limit(const LimitsConfig& limits,
                                               const sys::OpenFilesLimit& open_files,
                                               std::uint64_t usable);

}  // namespace echod
