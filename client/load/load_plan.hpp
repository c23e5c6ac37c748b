// The settings of a load run, as the command line gives them.
// Thread-safety: value types.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "client/measure/schedule.hpp"
#include "client/sys/endpoint.hpp"
#include "client/text/moments.hpp"
#include "config/net/socket_address.hpp"

namespace echod::client {

// What a connection does.
enum class LoadMode : std::uint8_t {
  echo,     // Exchanges messages; the connection stays open.
  connect,  // Repeats: connect, one message, half-close, its echo, end of file.
  stream,   // Like `echo`, but measures only throughput, not latency.
};

// "echo", "connect", "stream".
[[nodiscard]] std::string_view name_of(LoadMode mode) noexcept;
// Empty if no mode has this name.
[[nodiscard]] std::optional<LoadMode> mode_named(std::string_view name) noexcept;

// "constant", "poisson".
[[nodiscard]] std::string_view name_of(Arrivals arrivals) noexcept;

// Message sizes in bytes, from `smallest` to `largest`. All sizes in the range are equally likely.
// Every run has the same sequence of sizes.
struct MessageSizes {
  std::uint32_t smallest = 64;
  std::uint32_t largest = 64;

  [[nodiscard]] bool is_fixed() const noexcept { return smallest == largest; }
  // The size of message number `message`, counted from 0, of a connection.
  [[nodiscard]] std::uint32_t size_of(std::uint32_t connection,
                                      std::uint64_t message) const noexcept;
};

// The rates of an open loop, in order.
struct RateSteps {
  std::vector<double> rates_per_s;   // Empty if the rate is constant.
  std::chrono::nanoseconds time{0};  // How long each rate lasts.
};

struct LoadPlan {
  Endpoint server;
  std::vector<SocketAddress> sources;  // Used in turns. Empty: the kernel chooses.
  LoadMode mode = LoadMode::echo;
  std::uint32_t connections = 64;
  std::uint32_t active = 64;  // How many exchange messages. The others are idle.
  MessageSizes sizes;
  std::uint32_t depth = 1;  // The most messages outstanding on one connection.
  std::uint32_t burst = 1;  // UDP, closed loop: datagrams that a socket sends at once.
  std::uint32_t threads = 1;
  std::optional<double> rate_per_s;        // Messages per second, all connections. Set: open loop.
  RateSteps steps;                         // The first rate is rate_per_s.
  Arrivals arrivals = Arrivals::constant;  // Open loop.
  std::optional<std::uint64_t> messages;   // Open loop: how many to send; then all idle.
  std::optional<double> connect_rate_per_s;  // How fast to make connections.
  std::optional<Moment> start_at;            // When messages begin. Empty: once connected.
  std::chrono::nanoseconds warmup = std::chrono::seconds(1);
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  std::chrono::nanoseconds interval = std::chrono::seconds(1);  // Between points of the series.
  // How long to wait for a connection or for bytes that are owed.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  std::uint32_t seed = 0;           // Seed of the bytes sent (keyed_stream.hpp).
  std::optional<pid_t> server_pid;  // Report this process's CPU time and memory.
};

}  // namespace echod::client
