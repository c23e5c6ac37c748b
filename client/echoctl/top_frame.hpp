// One picture of `echoctl top`, as lines.
// Thread-safety: stateless functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/echoctl/table.hpp"
#include "client/echoctl/top_figures.hpp"

namespace echod::ctl {

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// At most `size.rows` lines of at most `size.columns` columns. Tables that do not fit are cut, and
// say how much is left out.
[[nodiscard]] std::vector<std::string> top_frame(const TopFigures& figures, const ScreenSize& size,
                                                 const Style& style);

}  // namespace echod::ctl
