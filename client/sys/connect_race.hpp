// Connecting to the first of several addresses that answers (RFC 8305, "Happy Eyeballs").
// Thread-safety: free of shared state. Blocks until one has connected or all have failed.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "client/sys/client_socket.hpp"
#include "sys/clock.hpp"
#include "sys/socket_address.hpp"

namespace echod::sys {

struct Route {
  SocketAddress server;
  std::optional<SocketAddress> source;  // Where to connect from, if that is given.
};

// How much later than one attempt the next begins, unless that one has failed (RFC 8305,
// section 5).
inline constexpr std::chrono::milliseconds kAttemptDelay{250};

struct RaceResult {
  std::optional<std::size_t> winner;  // Which of the routes; none if all have failed.
  // For each route: why it failed, as connect_error_text takes it; 0 if it won, had not begun, or
  // was still undecided when another won.
  std::vector<int> errors;
};

// Tries the routes in their order, the later ones beside those that have not answered yet. Each has
// `timeout`. All connections are closed when it returns.
[[nodiscard]] RaceResult connect_to_first(std::span<const Route> routes, Duration timeout);

}  // namespace echod::sys
