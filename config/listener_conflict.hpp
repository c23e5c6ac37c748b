// Finds listeners that cannot be open together (tcp(7), udp(7), ipv6(7), unix(7)).
//
// Thread-safety: a function without state.
#pragma once

#include <optional>
#include <string_view>

#include "config/config.hpp"

namespace echod {

// Returns why `later` cannot be opened beside `earlier`, and what to change; nothing if it can be.
// The caller prints the two addresses or paths before the text. Port 0 never conflicts: the kernel
// chooses a free port. TCP and UDP have ports of their own.
[[nodiscard]] std::optional<std::string_view> listener_conflict(const ListenConfig& earlier,
                                                                const ListenConfig& later) noexcept;

}  // namespace echod
