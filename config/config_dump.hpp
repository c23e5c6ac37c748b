// Values to TOML.
#pragma once

#include <string>

#include "config/config.hpp"

namespace echod {

// The configuration as TOML with every key, which parse_config reads back to equal values.
[[nodiscard]] std::string dump_config(const Config& config);

}  // namespace echod
