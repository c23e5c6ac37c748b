// `echoload run`: does the load run that the options ask for, and reports it.
#pragma once

#include "client/exit_codes.hpp"
#include "client/options/command_line.hpp"

namespace echod::client {

// Throws Stop, std::system_error.
[[nodiscard]] ExitCode run_load(Options options);

}  // namespace echod::client
