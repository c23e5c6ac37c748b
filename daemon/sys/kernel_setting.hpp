// Reads the numbers that sysctl(8) shows.
//
// Thread-safety: no shared state. Blocks on /proc.
#pragma once

#include <cstdint>
#include <string>

namespace echod::sys {

// Returns the number in /proc/sys/`name`, such as "fs/nr_open", or `otherwise` if it cannot be
// read. A sandbox may hide it.
[[nodiscard]] std::uint64_t kernel_setting(const std::string& name, std::uint64_t otherwise);

}  // namespace echod::sys
