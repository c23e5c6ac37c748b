// Reads results of load runs from JSON and merges them.
//
// Counts and histograms are whole numbers and add up exactly. So the merged counts and histograms,
// and the percentiles computed from them, are exactly those of one run. A merged result has no
// series, and its server usage is that of the first part that has one.
//
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/verdict.hpp"
#include "client/text/moments.hpp"

namespace echod::client {

// What a merged report says about one of its runs.
struct RunPart {
  std::string name;  // The file name.
  Environment environment;
  std::optional<Moment> measured_from;
  std::chrono::nanoseconds measured{0};
  std::uint64_t echoes = 0;
  std::uint32_t seed = 0;
  double busiest_share = 0;
  std::vector<std::string> failures;
};

struct RunRecord {
  Options options;  // Without `limits`.
  LoadResult result;
  std::vector<RunPart> parts;  // For a single run: the run itself.
};

// Reads the output of run_json(). `name` is used in messages. Throws std::runtime_error.
[[nodiscard]] RunRecord read_run(const std::string& name, const std::string& json);

// Merges one or more records. Throws std::runtime_error if they are not parts of the same run,
// which means that their mode, sizes, times or similar settings differ, or if two are the same run.
[[nodiscard]] RunRecord merge(const std::vector<RunRecord>& records);

// The time between the first and the last begin of the parts.
[[nodiscard]] std::chrono::nanoseconds begin_skew(const std::vector<RunPart>& parts);

// Like verdict_on(), but includes the failures of the parts. Judges record.options.limits.
[[nodiscard]] Verdict verdict_on_merged(const RunRecord& record);

}  // namespace echod::client
