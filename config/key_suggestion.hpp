// What to tell about a name that is not in the table of keys.
// Thread-safety: functions without state.
#pragma once

#include <string>
#include <string_view>

namespace echod {

// "unknown key, did you mean limits.max_connections?" or, if nothing is near, the names that are
// known there. An empty `section` is the top of the file.
[[nodiscard]] std::string unknown_key_text(std::string_view section, std::string_view name);

[[nodiscard]] std::string unknown_section_text(std::string_view name);

}  // namespace echod
