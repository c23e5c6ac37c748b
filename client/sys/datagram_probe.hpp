// Finds the first of several addresses that answers a datagram. UDP has no handshake, so only an
// answer shows that a server is there.
// Thread-safety: stateless functions. Blocks until one address has answered or all have failed.
#pragma once

#include <span>

#include "client/sys/connect_race.hpp"

namespace echod::sys {

// Begins with the first route, and with the next one after kAttemptDelay, or at once if the
// previous one has failed. Repeats the datagram to each address every kAttemptDelay. Any datagram
// that comes to its port, from any address, is an answer. Each route fails after `timeout` with
// ETIMEDOUT, or before with the error that an ICMP message gives.
[[nodiscard]] RaceResult probe_datagrams(std::span<const Route> routes, Duration timeout);

}  // namespace echod::sys
