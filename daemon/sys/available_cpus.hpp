// How many CPUs this process may use: those of its affinity mask (sched_setaffinity(2), cpusets),
// and no more than the CPU time that its control groups leave it (cgroups(7); cpu.max in version 2,
// cpu.cfs_quota_us in version 1), rounded up.
//
// Thread-safety: any thread.
#pragma once

#include <cstddef>
#include <string>

namespace echod::sys {

// At least 1. What cannot be read is no limit. `root` stands before /proc and /sys, for tests.
[[nodiscard]] std::size_t available_cpus(const std::string& root = {});

}  // namespace echod::sys
