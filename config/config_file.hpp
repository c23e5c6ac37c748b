// Reads a TOML configuration file.
//
// Thread-safety: functions without shared state. Blocks on the file system: must not be called from
// a worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/config_errors.hpp"

namespace echod {

inline constexpr const char* kDefaultConfigFile = "/etc/echod.toml";

// Returns false if there is no file and no link of this name. Returns true for a dangling link, a
// loop of links and a directory without permission, so that reading the file reports the error.
[[nodiscard]] bool name_exists(const std::string& path);

// Whether the file will be read again at every reload, or only once, as for --check-config. Only a
// file that is read once may be a pipe; load_config_file() then waits for its writer.
enum class Reading : std::uint8_t { at_every_reload, once };

// Reads `path`. Keys that the file does not set keep their defaults. Throws ConfigErrors with all
// errors of the file, or with one line if the file cannot be read or parsed.
[[nodiscard]] Config load_config_file(const std::string& path,
                                      Reading reading = Reading::at_every_reload);

// Like load_config_file(), from text in memory. `path` is the name of the file in messages.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace echod
