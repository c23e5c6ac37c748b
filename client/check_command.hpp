// `echoload check`: goes through the checks and shows what the server passes.
#pragma once

#include "command_line.hpp"
#include "exit_codes.hpp"

namespace echod::client {

// Throws FatalError, std::system_error.
[[nodiscard]] ExitCode run_check(Options options);

}  // namespace echod::client
