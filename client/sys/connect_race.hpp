// Finds the first of several addresses that accepts a TCP connection.
// Thread-safety: stateless functions. Blocks until one address has connected or all have failed.
#pragma once

#include <span>

#include "client/sys/route_race.hpp"

namespace echod::sys {

// The errors are those of ConnectResult. Closes all connections before it returns, also the one
// that won.
[[nodiscard]] RaceResult connect_to_first(std::span<const Route> routes, Duration timeout);

}  // namespace echod::sys
