// Finds the first of several addresses that answers a datagram. UDP has no handshake, so only an
// answer shows that a server is there.
// Thread-safety: stateless functions. Blocks until one address has answered or all have failed.
#pragma once

#include <span>

#include "client/sys/route_race.hpp"

namespace echod::sys {

// Sends a datagram to each address, and repeats it every kAttemptDelay. Any datagram that comes to
// its port, from any address, is an answer. A route fails after `timeout`, or earlier with the
// error that an ICMP message gives.
[[nodiscard]] RaceResult probe_datagrams(std::span<const Route> routes, Duration timeout);

}  // namespace echod::sys
