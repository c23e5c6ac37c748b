// Finds where the server is, and checks that the process can have enough connections to it.
#pragma once

#include <cstdint>

#include "client/options/command_line.hpp"
#include "client/sys/endpoint.hpp"

namespace echod::client {

// The first address of options.host that accepts a connection (connect_race.hpp) or, for UDP,
// answers a datagram (datagram_probe.hpp), or the UNIX socket options.path if it accepts one.
// Blocks: each attempt ends after options.plan.timeout at the latest, and attempts overlap;
// resolving the name has no time limit here. Throws FatalError if nothing accepts or answers.
[[nodiscard]] Endpoint reachable_endpoint(const Options& options);

// Throws FatalError unless all of options.plan.sources are addresses of this host and of the
// server's family. A UNIX socket has no sources (contradiction.cpp).
void require_sources(const Options& options);

// Raises the limit on open files to what options.plan.connections need, as far as allowed. Returns
// the limit then in force.
std::uint64_t raise_open_files(const Options& options);

// Calls raise_open_files(). Throws FatalError if the limit is still too low, or if the source
// addresses have too few local ports.
void require_resources_for_connections(const Options& options);

}  // namespace echod::client
