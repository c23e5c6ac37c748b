// What a process or a thread has used so far, as /proc says it (proc(5)).
// Thread-safety: free of shared state.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>

namespace echod::sys {

struct ProcessUsage {
  // CPU time of all threads. The sum is exact; user time is known to a clock tick (10 ms), and
  // system time is the rest, so it may shrink by a tick from one look to the next.
  std::chrono::nanoseconds user{0};
  std::chrono::nanoseconds system{0};
  std::uint64_t resident_bytes = 0;
  std::uint64_t voluntary_switches = 0;    // It waited.
  std::uint64_t involuntary_switches = 0;  // It was made to wait.
};

// Nothing if there is no such process. Threads that ended no longer count for the switches.
[[nodiscard]] std::optional<ProcessUsage> process_usage(pid_t pid);

struct ThreadUsage {
  std::chrono::nanoseconds running{0};  // On a CPU.
  std::chrono::nanoseconds waiting{0};  // Ready to run, but no CPU was free.
};

// Of the calling thread. `waiting` stays 0 where the kernel does not count it.
[[nodiscard]] ThreadUsage thread_usage();

}  // namespace echod::sys
