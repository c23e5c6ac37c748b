// Which listeners the kernel could never open together (tcp(7), ipv6(7)).
// Thread-safety: a function without state.
#pragma once

#include <optional>
#include <string_view>

#include "config/config.hpp"

namespace echod {

// Why `later` could not be opened beside `earlier`, in words that follow their addresses, and what
// is allowed; nothing if it could. Port 0 is another port each time, so it is never in the way.
[[nodiscard]] std::optional<std::string_view> listener_conflict(const ListenConfig& earlier,
                                                                const ListenConfig& later) noexcept;

}  // namespace echod
