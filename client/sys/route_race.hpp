// Finds the first of several routes to a server that works (RFC 8305, "Happy Eyeballs"). What an
// attempt does depends on the transport: connect_race.hpp for TCP, datagram_probe.hpp for UDP.
//
// The attempts begin in the order of the routes and overlap: the next one begins after
// kAttemptDelay, or at once if one has failed (RFC 8305, section 5).
//
// Thread-safety: stateless functions. Blocks until one route has won or all have failed.
#pragma once

#include <poll.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "config/net/socket_address.hpp"
#include "sys/clock.hpp"

namespace echod::sys {

struct Route {
  SocketAddress server;
  std::optional<SocketAddress> source;  // The local address, if given.
};

inline constexpr std::chrono::milliseconds kAttemptDelay{250};

struct RaceResult {
  std::optional<std::size_t> winner;  // Index of the route that won. Empty if all failed.
  // Why each route failed; see connect_error_text(). 0 if it won, or had not begun or not
  // completed when another route won.
  std::vector<int> errors;
};

// An attempt to reach the server by one route. Owns its sockets.
class RouteAttempt {
 public:
  RouteAttempt() = default;
  virtual ~RouteAttempt() = default;
  RouteAttempt(const RouteAttempt&) = delete;
  RouteAttempt& operator=(const RouteAttempt&) = delete;

  // Appends the descriptors to wait for, always the same number.
  virtual void append_polled(std::vector<pollfd>& polled) const = 0;
  // When advance() must be called even if no descriptor is ready.
  [[nodiscard]] virtual TimePoint due() const { return TimePoint::max(); }
  // Does what can be done now. `polled` are the descriptors of append_polled() with their events.
  // Returns 0 if the route has won, EINPROGRESS if that is not known yet, otherwise why it failed.
  [[nodiscard]] virtual int advance(std::span<const pollfd> polled, TimePoint now) = 0;
};

// Begins an attempt. If it fails at once, returns null and sets `error`.
using BeginAttempt = std::function<std::unique_ptr<RouteAttempt>(const Route& route, int& error)>;

// An attempt fails with ETIMEDOUT after `timeout`. All attempts are closed when this returns.
[[nodiscard]] RaceResult race_routes(std::span<const Route> routes, Duration timeout,
                                     const BeginAttempt& begin);

}  // namespace echod::sys
