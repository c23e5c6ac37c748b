#include "client/server_address.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/exit_codes.hpp"
#include "client/report/environment.hpp"
#include "client/sys/client_socket.hpp"
#include "client/sys/connect_race.hpp"
#include "client/sys/datagram_probe.hpp"
#include "client/sys/local_connection.hpp"
#include "client/sys/resolve.hpp"
#include "client/text/figures.hpp"
#include "sys/open_files.hpp"

namespace echod::client {

namespace {

// The first source that has the family of `server` and is an address of this host.
std::optional<SocketAddress> source_for(const SocketAddress& server, const Options& options) {
  for (const SocketAddress& source : options.plan.sources) {
    if (source.is_v6() == server.is_v6() && sys::bind_error(source) == 0) {
      return source;
    }
  }
  return std::nullopt;
}

// Routes to all addresses of the server. With --source, addresses of a family without a source are
// left out. If that leaves none, all are kept, and require_sources() reports the error.
std::vector<sys::Route> routes_to(const Options& options) {
  std::vector<sys::Route> routes;
  for (const SocketAddress& server : sys::resolve(options.host, options.port)) {
    routes.push_back({.server = server, .source = source_for(server, options)});
  }
  const auto has_source = [](const sys::Route& route) { return route.source.has_value(); };
  if (std::ranges::any_of(routes, has_source)) {
    std::erase_if(routes, std::not_fn(has_source));
  }
  return routes;
}

// EAGAIN gets a text that says more than "Resource temporarily unavailable".
std::string local_error_text(int error) {
  return error == EAGAIN ? "its accept queue stayed full" : sys::connect_error_text(error);
}

Endpoint reachable_path(const Options& options) {
  Endpoint server = Endpoint::at_path(options.path);
  const int error = sys::connect_local_within(options.path, options.plan.timeout).error;
  if (error != 0) {
    throw FatalError(ExitCode::unavailable, "no connection to the server: " + server.text() + ": " +
                                                local_error_text(error));
  }
  return server;
}

}  // namespace

Endpoint reachable_endpoint(const Options& options) {
  if (options.transport == Transport::local) {
    return reachable_path(options);
  }
  std::string reasons;
  try {
    const std::vector<sys::Route> routes = routes_to(options);
    const bool is_udp = options.transport == Transport::udp;
    const sys::RaceResult race = is_udp ? sys::probe_datagrams(routes, options.plan.timeout)
                                        : sys::connect_to_first(routes, options.plan.timeout);
    if (race.winner) {
      const SocketAddress& address = routes[*race.winner].server;
      return is_udp ? Endpoint::udp(address) : Endpoint(address);
    }
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const bool is_silent = is_udp && race.errors[i] == ETIMEDOUT;
      reasons += (i == 0 ? "" : "; ") + routes[i].server.text() + ": " +
                 (is_silent ? "no answer" : sys::connect_error_text(race.errors[i]));
    }
  } catch (const std::runtime_error& error) {
    reasons = error.what();
  }
  throw FatalError(ExitCode::unavailable, "no connection to the server: " + reasons);
}

namespace {

std::uint64_t descriptors_for(const Options& options) {
  constexpr std::uint64_t kPerThread = 5;  // Event loop and timers.
  constexpr std::uint64_t kOther = 32;     // Files.
  const std::uint64_t per_connection = options.transport == Transport::udp ? 2 : 1;
  return options.plan.connections * per_connection + options.plan.threads * kPerThread + kOther;
}

}  // namespace

void require_sources(const Options& options) {
  for (const SocketAddress& source : options.plan.sources) {
    if (source.is_v6() != options.plan.server.address().is_v6()) {
      throw FatalError(ExitCode::usage, "--source " + source.host() + ": the server is " +
                                            options.plan.server.text() +
                                            ", which is of the other family");
    }
    if (const int error = sys::bind_error(source); error != 0) {
      throw FatalError(ExitCode::usage, "--source " + source.host() + ": " + errno_text(error) +
                                            ", is it an address of this host?");
    }
  }
}

std::uint64_t raise_open_files(const Options& options) {
  const std::uint64_t limit = sys::open_files_limit().soft;
  const std::uint64_t needed = descriptors_for(options);
  return limit < needed ? sys::set_open_files(needed).soft : limit;
}

void require_resources_for_connections(const Options& options) {
  const std::string wanted = std::to_string(options.plan.connections) +
                             (options.transport == Transport::udp ? " sockets" : " connections");
  const std::uint64_t needed = descriptors_for(options);
  if (const std::uint64_t limit = raise_open_files(options); limit < needed) {
    throw FatalError(ExitCode::system,
                     wanted + " need a limit of " + std::to_string(needed) +
                         " open files, and it is " + std::to_string(limit) +
                         ": raise it with ulimit -n, or give fewer --connections");
  }
  const auto ports = environment().local_ports;
  const std::uint64_t sources = std::max<std::size_t>(1, options.plan.sources.size());
  if (ports && options.transport != Transport::local && options.plan.mode != LoadMode::connect &&
      options.plan.connections > (ports->second - ports->first + 1) * sources) {
    throw FatalError(ExitCode::system, wanted + " need more local ports than " +
                                           std::to_string(ports->first) + " to " +
                                           std::to_string(ports->second) +
                                           ": give more addresses with --source");
  }
}

}  // namespace echod::client
