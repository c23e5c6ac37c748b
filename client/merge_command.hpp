// `echoload merge`: makes one report from runs on several machines.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws FatalError if the files cannot be merged or the report cannot be written.
[[nodiscard]] ExitCode run_merge(const Options& options);

}  // namespace echod::client
