// The error text for a name that is not in the table of keys, with the nearest known name.
// Thread-safety: functions without state.
#pragma once

#include <string>
#include <string_view>

namespace echod {

// "unknown key, did you mean limits.max_connections?", or a list of the section's keys if no known
// name is near. An empty `section` is the top of the file, and the list then has the sections too.
[[nodiscard]] std::string unknown_key_text(std::string_view section, std::string_view name);

[[nodiscard]] std::string unknown_section_text(std::string_view name);

}  // namespace echod
