// The table that `strace -c` prints.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace echod::test {

// Name of the call to number of calls.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_strace_table(const std::string& table);

}  // namespace echod::test
