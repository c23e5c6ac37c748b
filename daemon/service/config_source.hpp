// Finds and reads the configuration that is in force: the file, with the overrides of the command
// line.
//
// Thread-safety: functions without shared state. They block on the file system, so they must not be
// called from a worker, nor from the main thread while it serves (config_loader.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/command_line.hpp"
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

// Reads and parses `path`. Throws ConfigErrors.
[[nodiscard]] Config load_config_file(const std::string& path,
                                      Reading reading = Reading::at_every_reload);

// The file that the command line names; else /etc/echod.toml if that name exists, readable or not;
// else nothing.
[[nodiscard]] std::optional<std::string> config_file_in_use(const CommandLine& options);

// Returns the configuration of config_file_in_use(), or the defaults without a file, with the
// overrides of the command line. Throws ConfigErrors.
[[nodiscard]] Config effective_config(const CommandLine& options);

}  // namespace echod
