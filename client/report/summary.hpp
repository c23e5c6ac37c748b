// Reports the result of a load run as text.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/run_record.hpp"
#include "client/report/verdict.hpp"

namespace echod::client {

[[nodiscard]] std::string summary(const Options& options, const LoadResult& result,
                                  const Environment& environment, const Verdict& verdict,
                                  const std::vector<RunPart>& parts = {});

}  // namespace echod::client
