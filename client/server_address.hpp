// Which of a name's addresses to use, and whether the process may have enough connections to it.
#pragma once

#include "command_line.hpp"
#include "socket_address.hpp"

namespace echod::client {

// The first address of options.host that a connection can be made to. Throws Stop.
[[nodiscard]] sys::SocketAddress reachable_address(const Options& options);

// Raises the limit on descriptors as far as it goes. Throws Stop if options.plan.connections are
// too many for it, or for the local ports of the source addresses.
void require_room_for_connections(const Options& options);

}  // namespace echod::client
