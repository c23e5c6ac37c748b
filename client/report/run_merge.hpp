// Merges the results of load runs that several machines did together.
//
// Counts and histograms are whole numbers and add up exactly. So the merged counts and histograms,
// and the percentiles computed from them, are exactly those of one run. A merged result has no
// series, and its server usage is that of the first part that has one.
//
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <vector>

#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

// Merges one or more records. Throws std::runtime_error if they are not parts of the same run,
// which means that their mode, sizes, times or similar settings differ, or if two are the same run.
[[nodiscard]] RunRecord merge(const std::vector<RunRecord>& records);

// The time between the first and the last begin of the parts.
[[nodiscard]] std::chrono::nanoseconds begin_skew(const std::vector<RunPart>& parts);

// Like verdict_on(), but includes the failures of the parts. Judges record.options.limits.
[[nodiscard]] Verdict verdict_on_merged(const RunRecord& record);

}  // namespace echod::client
