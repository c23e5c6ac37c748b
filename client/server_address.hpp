// Which of a name's addresses to use, and whether the process may have enough connections to it.
#pragma once

#include <cstdint>

#include "command_line.hpp"
#include "socket_address.hpp"

namespace echod::client {

// The address of options.host that a connection is made to first; several are tried as
// connect_race.hpp says. Throws FatalError.
[[nodiscard]] sys::SocketAddress reachable_address(const Options& options);

// Throws FatalError if options.plan.sources are not addresses of this host and of the server's
// family.
void require_sources(const Options& options);

// Raises the limit on descriptors, as far as it goes, to what options.plan.connections need, and
// returns what is in force then.
std::uint64_t raise_open_files(const Options& options);

// As above. Throws FatalError if that is not enough, or if the source addresses have too few local
// ports.
void require_resources_for_connections(const Options& options);

}  // namespace echod::client
