// The error message for a listening socket that cannot be opened.
// Thread-safety: no shared state. Reads /proc.
#pragma once

#include <system_error>

#include "config/net/socket_address.hpp"
#include "service/exit_codes.hpp"

namespace echod {

// A message with the address, the failed call, its errno and what to do about it. `error` is from
// sys::open_listener().
[[nodiscard]] StartupError listen_error(const SocketAddress& address,
                                        const std::system_error& error);

}  // namespace echod
