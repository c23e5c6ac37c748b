// Parses the text of a configuration file, which is TOML.
//
// Thread-safety: a function without shared state.
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/config_errors.hpp"

namespace echod {

// Returns the configuration that `text` describes. Keys that it does not set keep their defaults.
// `path` is the name of the file in messages. Throws ConfigErrors with all errors of the text, or
// with one line if it is not TOML.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace echod
