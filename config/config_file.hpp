// TOML to values.
// Thread-safety: no shared state. Blocks on the file system; never call it from a worker.
#pragma once

#include <string>
#include <string_view>

#include "config.hpp"
#include "config_errors.hpp"

namespace echod {

inline constexpr const char* kDefaultConfigFile = "/etc/echod.toml";

// Reads `path`; a key that it does not set keeps its default. Throws ConfigErrors: a file that
// cannot be read and a syntax error are reported alone, of everything else all is reported.
[[nodiscard]] Config load_config_file(const std::string& path);

// As above from text in memory; `path` is the file in messages.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace echod
