// A result of a load run as its JSON holds it, and several of them as one.
//
// Everything that a report says is computed from whole numbers that add up exactly. So n parts of a
// run, merged, give what one run gives, bit for bit.
//
// Thread-safety: functions without state.
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

// What a merged report says of one of its runs.
struct RunPart {
  std::string name;  // Of its file.
  Environment environment;
  std::optional<Moment> measured_from;
  std::chrono::nanoseconds measured{0};
  std::uint64_t echoes = 0;
  std::uint32_t seed = 0;
  double busiest_share = 0;
  std::vector<std::string> failures;
};

struct RunRecord {
  Options options;  // `limits` excepted.
  LoadResult result;
  std::vector<RunPart> parts;  // A run is its own only part.
};

// Reads what run_json() wrote. `name` is for messages. Throws std::runtime_error.
[[nodiscard]] RunRecord read_run(const std::string& name, const std::string& json);

// All of them, at least one, as one run. Throws std::runtime_error if they were not parts of the
// same run: their mode, sizes, times or the like differ.
[[nodiscard]] RunRecord merge(const std::vector<RunRecord>& records);

// From when the first part began until the last one did.
[[nodiscard]] std::chrono::nanoseconds begin_skew(const std::vector<RunPart>& parts);

// As verdict_on(), with what the parts say. record.options.limits are judged.
[[nodiscard]] Verdict verdict_on_merged(const RunRecord& record);

}  // namespace echod::client
