// A load run for people: the line while it runs, and the text at its end.
// Thread-safety: functions without state.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// What `options` ask for, on one line.
[[nodiscard]] std::string title(const Options& options);
// How it stands, on one line of a terminal.
[[nodiscard]] std::string progress_line(const Options& options, const LoadProgress& progress);
// What came in an interval, likewise.
[[nodiscard]] std::string interval_line(const Options& options, const Interval& interval);
[[nodiscard]] std::string summary(const Options& options, const LoadResult& result,
                                  const Environment& environment, const Verdict& verdict,
                                  const std::vector<RunPart>& parts = {});

}  // namespace echod::client
