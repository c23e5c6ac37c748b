// TOML to values.
// Thread-safety: no shared state. Blocks on the file system; never call it from a worker.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config.hpp"
#include "config_errors.hpp"

namespace echod {

inline constexpr const char* kDefaultConfigFile = "/etc/echod.toml";

// False only if there is no file or link of this name. A name that leads nowhere (a dangling link,
// a loop, a folder without permission) counts as one that is there: reading it says what is wrong.
[[nodiscard]] bool name_exists(const std::string& path);

// Whether a file is read again at every reload, or once, as a check does. A file that is read once
// may be a pipe: load_config_file() waits for its writer.
enum class Reading : std::uint8_t { at_every_reload, once };

// Reads `path`; a key that it does not set keeps its default. Throws ConfigErrors: a file that
// cannot be read and a syntax error are reported alone, of everything else all is reported.
[[nodiscard]] Config load_config_file(const std::string& path,
                                      Reading reading = Reading::at_every_reload);

// As above from text in memory; `path` is the file in messages.
[[nodiscard]] Config parse_config(std::string_view text, const std::string& path);

}  // namespace echod
