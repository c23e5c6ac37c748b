// Draws the charts of a load run: latency by percentile, and latency, rate and errors over time.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// HTML for a page made by html_page.hpp. Leaves out charts without data.
[[nodiscard]] std::string charts(const Options& options, const LoadResult& result,
                                 const Verdict& verdict);

}  // namespace echod::client
