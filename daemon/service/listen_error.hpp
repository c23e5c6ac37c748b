// What an operator is told when a listening socket cannot be opened.
// Thread-safety: no shared state. Blocks on /proc.
#pragma once

#include <system_error>

#include "service/exit_codes.hpp"
#include "sys/socket_address.hpp"

namespace echod {

// The failed call, its errno, and what to do about it.
[[nodiscard]] StartupError listen_error(const sys::SocketAddress& address,
                                        const std::system_error& error);

}  // namespace echod
