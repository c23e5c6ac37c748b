// Reports a load run as an HTML page.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "command_line.hpp"
#include "environment.hpp"
#include "load_run.hpp"
#include "verdict.hpp"

namespace echod::client {

[[nodiscard]] std::string html_report(const Options& options, const LoadResult& result,
                                      const Environment& environment, const Verdict& verdict);

}  // namespace echod::client
