// Reports a load run as an HTML page.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

[[nodiscard]] std::string html_report(const Options& options, const LoadResult& result,
                                      const Environment& environment, const Verdict& verdict);

}  // namespace echod::client
