// The charts of a load run: latency by percentile, and over time latency, rate and errors.
// Thread-safety: functions without state.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// HTML, for a page as html_page.hpp makes it. Those for which there are figures.
[[nodiscard]] std::string charts(const Options& options, const LoadResult& result,
                                 const Verdict& verdict);

}  // namespace echod::client
