// What this process uses: CPU time and memory.
//
// Thread-safety: no shared state. Blocks on /proc, but never on a disk.
#pragma once

#include <chrono>
#include <cstdint>

namespace echod::sys {

struct ProcessUsage {
  std::chrono::microseconds cpu_user{0};  // Of all threads (getrusage(2)).
  std::chrono::microseconds cpu_system{0};
  std::uint64_t resident_bytes = 0;  // Physical memory; 0 if /proc cannot be read.
};

[[nodiscard]] ProcessUsage process_usage() noexcept;

// The current time in seconds since 1970 (CLOCK_REALTIME).
[[nodiscard]] double unix_seconds() noexcept;

}  // namespace echod::sys
