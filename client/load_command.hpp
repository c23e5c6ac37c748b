// `echoload run`: performs a load run and reports its results.
#pragma once

#include "command_line.hpp"
#include "exit_codes.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_load(Options options);

}  // namespace echod::client
