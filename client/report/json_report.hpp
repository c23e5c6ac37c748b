// Results for programs: JSON as the schemas beside this file describe it.
// Thread-safety: functions without state.
#pragma once

#include <string>
#include <vector>

#include "command_line.hpp"
#include "environment.hpp"
#include "load_run.hpp"
#include "verdict.hpp"

namespace echod::client {

// echoload-run.schema.json
[[nodiscard]] std::string run_json(const Options& options, const LoadResult& result,
                                   const Environment& environment, const Verdict& verdict);

}  // namespace echod::client
