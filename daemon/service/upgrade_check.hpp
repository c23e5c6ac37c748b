// The new program's side of the check before an upgrade (service/upgrade.hpp): echod
// --check-upgrade, run as a child process of the echod that serves.
//
// Thread-safety: a function without shared state. Blocks on the disk.
#pragma once

#include "config/command_line.hpp"
#include "config/config.hpp"
#include "upgrade/state.hpp"

namespace echod {

// Returns the configuration with which this program would take over `state`. Tries what it would
// need for that and closes it again. Throws ConfigErrors, StartupError, std::system_error or
// std::bad_alloc if it could not take over.
[[nodiscard]] Config config_for_upgrade(const CommandLine& options, const ServiceState& state);

}  // namespace echod
