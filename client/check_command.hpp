// `echoload check`: runs the checks and prints their results.
#pragma once

#include "command_line.hpp"
#include "exit_codes.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_check(Options options);

}  // namespace echod::client
