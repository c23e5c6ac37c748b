// Results for programs: JSON as the schemas beside this file describe it.
// Thread-safety: functions without state.
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

// echoload-run.schema.json. With `parts` it is a merged result, and `environment` says only which
// echoload merged them, and when.
[[nodiscard]] std::string run_json(const Options& options, const LoadResult& result,
                                   const Environment& environment, const Verdict& verdict,
                                   const std::vector<RunPart>& parts = {});

// An element of the `series` of a run, on one line.
[[nodiscard]] std::string interval_json(const Interval& interval);

// echoload-check.schema.json
[[nodiscard]] std::string check_json(const Options& options,
                                     const std::vector<CheckResult>& results,
                                     const Environment& environment);

}  // namespace echod::client
