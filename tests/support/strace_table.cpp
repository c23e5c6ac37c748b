#include "strace_table.hpp"

#include <sstream>

namespace echod::test {

std::map<std::string, std::uint64_t> parse_strace_table(const std::string& table) {
  std::map<std::string, std::uint64_t> calls;
  std::istringstream lines(table);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    double percent = 0;
    double seconds = 0;
    std::uint64_t microseconds = 0;
    std::uint64_t count = 0;
    if (!(fields >> percent >> seconds >> microseconds >> count)) {
      continue;
    }
    std::string name;
    while (fields >> name) {  // The last word. There may be a column of errors before it.
    }
    calls[name] = count;
  }
  return calls;
}

}  // namespace echod::test
