// The configuration in force, and what follows from it.
// Thread-safety: belongs to the main thread.
#pragma once

#include <string>

#include "config/command_line.hpp"
#include "config/config.hpp"
#include "service/capacity.hpp"
#include "service/connection_limit.hpp"

namespace echod {

struct RunningConfig {
  CommandLine options;  // They name the file, and override keys of it.
  Config config;
  ConnectionLimit limit;
};

[[nodiscard]] RunningConfig running_config(CommandLine options, Config config,
                                           const Capacity& capacity);

// Names the file for log lines and operators.
[[nodiscard]] std::string config_name(const CommandLine& options);

}  // namespace echod
