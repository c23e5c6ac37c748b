// `echoload merge`: one report of runs on several machines.
#pragma once

#include "command_line.hpp"
#include "exit_codes.hpp"

namespace echod::client {

// Throws FatalError when there is no report, or it cannot be written.
[[nodiscard]] ExitCode run_merge(const Options& options);

}  // namespace echod::client
