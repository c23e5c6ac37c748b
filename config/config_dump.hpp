// Writes a configuration as TOML.
//
// Thread-safety: a function without state.
#pragma once

#include <string>

#include "config/config.hpp"

namespace echod {

// Returns TOML with every key. parse_config() reads it back as an equal configuration.
[[nodiscard]] std::string dump_config(const Config& config);

}  // namespace echod
