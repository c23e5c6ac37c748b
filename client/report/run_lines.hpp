// Describes a load run in single lines: its settings, its state and its intervals.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// The settings of the run on one line.
[[nodiscard]] std::string settings_line(const Options& options);
// The state of the run on one line.
[[nodiscard]] std::string progress_line(const Options& options, const LoadProgress& progress);
// The figures of an interval on one line.
[[nodiscard]] std::string interval_line(const Options& options, const Interval& interval);

}  // namespace echod::client
