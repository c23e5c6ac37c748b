// The resources that a process or a thread has used so far, from the CPU clock of the process
// (clock_getcpuclockid(3)) and from /proc (proc(5)).
// Thread-safety: stateless functions.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace echod::sys {

struct ServerUsage {
  // CPU time of all threads. The sum is exact. User time is rounded to clock ticks (10 ms) and
  // system time is the rest, so system time may decrease by a tick between two calls.
  std::chrono::nanoseconds user{0};
  std::chrono::nanoseconds system{0};
  std::uint64_t resident_bytes = 0;
  std::uint64_t voluntary_switches = 0;    // It waited for something.
  std::uint64_t involuntary_switches = 0;  // Another thread got its CPU.
};

// Empty if there is no such process. The switches do not include threads that have ended.
[[nodiscard]] std::optional<ServerUsage> process_usage(pid_t pid);

struct ThreadUsage {
  std::chrono::nanoseconds running{0};  // On a CPU.
  std::chrono::nanoseconds waiting{0};  // Ready to run, waiting for a CPU.
};

// Usage of the calling thread. `waiting` is 0 if the kernel does not count it.
[[nodiscard]] ThreadUsage thread_usage();

}  // namespace echod::sys
