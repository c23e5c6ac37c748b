// Reports a load run as text: lines during the run and the summary at the end.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// The settings of the run on one line.
[[nodiscard]] std::string title(const Options& options);
// The state of the run on one line.
[[nodiscard]] std::string progress_line(const Options& options, const LoadProgress& progress);
// The figures of an interval on one line.
[[nodiscard]] std::string interval_line(const Options& options, const Interval& interval);
[[nodiscard]] std::string summary(const Options& options, const LoadResult& result,
                                  const Environment& environment, const Verdict& verdict,
                                  const std::vector<RunPart>& parts = {});

}  // namespace echod::client
