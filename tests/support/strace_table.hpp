// Parses the table that `strace -c` prints.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace echod::test {

// Returns the number of calls by the name of the call.
[[nodiscard]] std::map<std::string, std::uint64_t> parse_strace_table(const std::string& table);

}  // namespace echod::test
