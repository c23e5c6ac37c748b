// Finds the first of several addresses that accepts a connection (RFC 8305, "Happy Eyeballs").
// Thread-safety: stateless functions. Blocks until one address has connected or all have failed.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "client/sys/client_socket.hpp"
#include "config/net/socket_address.hpp"
#include "sys/clock.hpp"

namespace echod::sys {

struct Route {
  SocketAddress server;
  std::optional<SocketAddress> source;  // The local address, if given.
};

// The delay from one attempt to the next. If an attempt fails, the next begins at once (RFC 8305,
// section 5).
inline constexpr std::chrono::milliseconds kAttemptDelay{250};

struct RaceResult {
  std::optional<std::size_t> winner;  // Index of the route that connected. Empty if all failed.
  // Why each route failed; see connect_error_text(). 0 if it won, or had not begun or not
  // completed when another route won.
  std::vector<int> errors;
};

// Begins the attempts in the order of the routes. Attempts overlap: the next one begins after
// kAttemptDelay even if earlier ones have not completed. Each attempt fails after `timeout`. Closes
// all connections before it returns, also the one that won.
[[nodiscard]] RaceResult connect_to_first(std::span<const Route> routes, Duration timeout);

}  // namespace echod::sys
