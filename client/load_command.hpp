// `echoload run`: performs a load run and reports its results.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_load(Options options);

}  // namespace echod::client
