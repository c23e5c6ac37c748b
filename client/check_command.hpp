// `echoload check`: goes through the checks and shows what the server passes.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws Stop, std::system_error.
[[nodiscard]] ExitCode run_check(Options options);

}  // namespace echod::client
