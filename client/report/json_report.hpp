// Reports results as JSON. The schemas are in this directory.
// Thread-safety: stateless functions.
#pragma once

#include <string>
#include <vector>

#include "client/check/run_checks.hpp"
#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// See echoload-run.schema.json. With `parts` it is a merged result. Then only the version and time
// of `environment` are used.
[[nodiscard]] std::string run_json(const Options& options, const LoadResult& result,
                                   const Environment& environment, const Verdict& verdict,
                                   const std::vector<RunPart>& parts = {});

// An element of the `series` of a run, on one line without a newline.
[[nodiscard]] std::string interval_json(const Interval& interval);

// See echoload-check.schema.json.
[[nodiscard]] std::string check_json(const Options& options,
                                     const std::vector<CheckResult>& results,
                                     const Environment& environment);

}  // namespace echod::client
