// Counts the CPUs that this process may use.
//
// The count is the number of CPUs in the affinity mask (sched_setaffinity(2), cpusets), or the CPU
// quota of the control groups, rounded up, if that is lower (cgroups(7); cpu.max in version 2,
// cpu.cfs_quota_us in version 1).
//
// Thread-safety: any thread. Blocks on /proc and /sys.
#pragma once

#include <cstddef>
#include <string>

namespace echod::sys {

// Returns at least 1. A file that cannot be read means no limit. `root` is put before /proc and
// /sys, for tests.
[[nodiscard]] std::size_t available_cpus(const std::string& root = {});

}  // namespace echod::sys
