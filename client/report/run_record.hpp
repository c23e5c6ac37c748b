// Reads results of load runs from JSON.
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
  Options options;             // Without `limits`.
  LoadResult result;           // Without the series.
  std::vector<RunPart> parts;  // A single run has one part, itself.
};

// Reads the output of run_json(). `name` is used in messages. Throws std::runtime_error.
[[nodiscard]] RunRecord read_run(const std::string& name, const std::string& json);

}  // namespace echod::client
