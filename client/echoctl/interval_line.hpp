// What `echoctl top` prints if standard output is not a terminal: a line for each interval, as
// vmstat(8) does. The values have no spaces, so that other programs can split the lines.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/echoctl/top_figures.hpp"

namespace echod::ctl {

// Each is one line with its newline. A large number moves the columns behind it.
[[nodiscard]] std::string interval_headings();
[[nodiscard]] std::string interval_line(const TopFigures& figures);

}  // namespace echod::ctl
