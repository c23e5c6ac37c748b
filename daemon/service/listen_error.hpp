// The error message for a listening socket that cannot be opened.
// Thread-safety: no shared state. Reads /proc.
#pragma once

#include <system_error>

#include "service/exit_codes.hpp"
#include "sys/socket_address.hpp"

namespace echod {

// A message with the address, the failed call, its errno and what to do about it. `error` is from
// sys::open_listener().
[[nodiscard]] StartupError listen_error(const sys::SocketAddress& address,
                                        const std::system_error& error);

}  // namespace echod
