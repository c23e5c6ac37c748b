// `echoload run`: does the load run that the options ask for, and reports it.
#pragma once

#include "command_line.hpp"
#include "exit_codes.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_load(Options options);

}  // namespace echod::client
