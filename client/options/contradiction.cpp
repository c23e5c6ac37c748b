#include "client/options/contradiction.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "client/datagram/datagram_format.hpp"
#include "client/sys/datagram_socket.hpp"

namespace echod::client {

namespace {

std::optional<std::string> duplicate_output_file(const Options& options) {
  const std::array files{std::pair{"--json", &options.json_file},
                         std::pair{"--histogram", &options.histogram_file},
                         std::pair{"--html", &options.html_file},
                         std::pair{"--interval-json", &options.interval_file}};
  for (std::size_t one = 0; one < files.size(); ++one) {
    for (std::size_t other = one + 1; other < files.size(); ++other) {
      if (const auto& name = *files.at(one).second; name && name == *files.at(other).second) {
        return std::string(files.at(one).first) + " and " + files.at(other).first +
               " cannot both go to " + *name;
      }
    }
  }
  return std::nullopt;
}

bool has_loss_limit(const Options& options) {
  return std::ranges::any_of(options.limits,
                             [](const Limit& limit) { return limit.kind == Limit::Kind::loss; });
}

// Finds options that do not apply to datagrams or, for another server, only to datagrams.
std::optional<std::string> datagram_contradiction(const Options& options) {
  constexpr std::size_t kLeast = DatagramFormat::kHeaderBytes;
  const LoadPlan& plan = options.plan;
  if (options.command != Command::run) {
    return std::nullopt;
  }
  if (options.transport != Transport::udp) {
    if (options.given.burst || has_loss_limit(options)) {
      return std::string(options.given.burst ? "--burst" : "--slo loss") +
             " is about datagrams: give a server udp://HOST:PORT";
    }
    return std::nullopt;
  }
  if (plan.mode != LoadMode::echo) {
    return "--mode " + std::string(name_of(plan.mode)) +
           " is about connections, and UDP has none: use --mode echo";
  }
  if (plan.active == 0) {
    return "--active 0 is about connections that are only open, and UDP has none: give 1 or more";
  }
  if (plan.sizes.smallest < kLeast || plan.sizes.largest > sys::kLongestDatagram) {
    return "--size: a datagram of a run has " + std::to_string(kLeast) + " to " +
           std::to_string(sys::kLongestDatagram) +
           " bytes, because its header takes 16; check tries shorter ones";
  }
  if (plan.rate_per_s && (options.given.burst || options.given.depth)) {
    return "--rate sends each datagram when it is due: --burst and --depth do not apply";
  }
  if (plan.burst > 1 && !plan.sizes.is_fixed()) {
    return "--burst needs datagrams of one size: give --size one number";
  }
  if (std::size_t{plan.burst} * plan.sizes.largest > sys::kLongestDatagram) {
    return "--burst " + std::to_string(plan.burst) + " of " + std::to_string(plan.sizes.largest) +
           " bytes: the kernel sends at most " + std::to_string(sys::kLongestDatagram) +
           " bytes at once";
  }
  if (plan.depth < plan.burst) {
    return "--depth " + std::to_string(plan.depth) + " is less than --burst " +
           std::to_string(plan.burst);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> contradiction(const Options& options) {
  const LoadPlan& plan = options.plan;
  const bool is_stream = plan.mode == LoadMode::stream;
  const bool is_connect = plan.mode == LoadMode::connect;
  const bool is_paced = plan.connect_rate_per_s.has_value();
  if (plan.active > plan.connections) {
    return "--active " + std::to_string(plan.active) + " is more than --connections " +
           std::to_string(plan.connections);
  }
  if (is_stream && plan.rate_per_s) {
    return "--mode stream sends as fast as it can, so --rate does not apply: use --mode echo";
  }
  const bool needs_echoes =
      options.histogram_file || std::ranges::any_of(options.limits, [](const Limit& limit) {
        return limit.kind != Limit::Kind::errors && limit.kind != Limit::Kind::loss;
      });
  if (is_stream && needs_echoes) {
    return "--slo (except errors) and --histogram do not apply to --mode stream, which measures "
           "only bytes: use --mode echo";
  }
  if (is_connect && (is_paced || options.given.active || options.given.depth)) {
    return "--mode connect makes a connection for each message: --active, --depth, --connect-rate "
           "and --ramp do not apply; --rate does";
  }
  if (options.transport == Transport::local && !plan.sources.empty()) {
    return "--source is an IP address, and a UNIX socket has none: leave it out";
  }
  if (plan.rate_per_s && plan.active == 0) {
    return "--rate needs active connections: --active is 0";
  }
  if (!plan.steps.rates_per_s.empty() && (plan.messages || options.given.duration)) {
    return "--rate with steps says how long each takes: --duration and --messages do not apply";
  }
  if (options.given.arrivals && !plan.rate_per_s) {
    return "--arrivals is about an open loop: give --rate too";
  }
  if (plan.messages && !plan.rate_per_s) {
    return "--messages ends an open loop: give --rate too";
  }
  if (plan.messages && static_cast<double>(*plan.messages - 1) / *plan.rate_per_s <
                           std::chrono::duration<double>(plan.warmup).count()) {
    return "all --messages are due within the --warmup: nothing would be measured";
  }
  const auto wrong = datagram_contradiction(options);
  return wrong ? wrong : duplicate_output_file(options);
}

}  // namespace echod::client
