// Finds users and groups of this host.
//
// Thread-safety: functions without state. They may block, because the host may ask a server for its
// users.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace echod {

// The number of the user or group that `text` names, or that it is. Nothing if there is no such
// name, or if the name cannot be looked up. A number need not belong to a user of this host.
[[nodiscard]] std::optional<std::uint32_t> user_id(const std::string& text);
[[nodiscard]] std::optional<std::uint32_t> group_id(const std::string& text);
// The same for a number alone. Looks nothing up.
[[nodiscard]] std::optional<std::uint32_t> parse_id(const std::string& text) noexcept;

}  // namespace echod
