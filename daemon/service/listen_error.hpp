// The error message for a listening socket that cannot be opened.
// Thread-safety: no shared state. Reads /proc.
#pragma once

#include <string>
#include <system_error>

#include "config/config.hpp"
#include "service/exit_codes.hpp"

namespace echod {

// A message with the address, the failed call, its errno and what to do about it. `error` is from
// sys::open_listener(), sys::open_datagram_socket() or sys::LocalListener.
[[nodiscard]] StartupError listen_error(const ListenConfig& listener,
                                        const std::system_error& error);

// The same for an error of sys::LocalListener. `what` failed, and `key` sets the path.
[[nodiscard]] StartupError local_socket_error(const std::string& what, const std::string& key,
                                              const std::system_error& error);

}  // namespace echod
