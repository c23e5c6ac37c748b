// `echoload merge`: one report of runs on several machines.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws Stop when there is no report, or it cannot be written.
[[nodiscard]] ExitCode run_merge(const Options& options);

}  // namespace echod::client
