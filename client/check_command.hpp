// `echoload check`: runs the checks and prints their results.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_check(Options options);

}  // namespace echod::client
