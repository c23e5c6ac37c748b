// The error message for a listening socket that cannot be opened.
// Thread-safety: no shared state. Reads /proc.
#pragma once

#include <system_error>

#include "config/config.hpp"
#include "service/exit_codes.hpp"

namespace echod {

// A message with the address, the failed call, its errno and what to do about it. `error` is from
// sys::open_listener() or sys::open_datagrams().
[[nodiscard]] StartupError listen_error(const ListenConfig& listener,
                                        const std::system_error& error);

}  // namespace echod
