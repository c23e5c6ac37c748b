// What a load run does: everything that the command line decides.
// Thread-safety: values.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "client/measure/schedule.hpp"
#include "client/text/moments.hpp"
#include "sys/socket_address.hpp"

namespace echod::client {

// What a connection does.
enum class LoadMode : std::uint8_t {
  echo,     // Messages to and fro on connections that stay.
  connect,  // Connect, one message, half-close, its echo, end of file: again and again.
  stream,   // As `echo`, but for the bytes: latency is not measured.
};

// "echo", "connect", "stream".
[[nodiscard]] std::string_view name_of(LoadMode mode) noexcept;
// The mode of this name; nothing if there is none.
[[nodiscard]] std::optional<LoadMode> mode_named(std::string_view name) noexcept;

// "constant", "poisson".
[[nodiscard]] std::string_view name_of(Arrivals arrivals) noexcept;

// Message sizes in bytes, both ends included. Equal ends: a fixed size; else every size is equally
// likely, and the same in every run.
struct MessageSizes {
  std::uint32_t smallest = 64;
  std::uint32_t largest = 64;

  [[nodiscard]] bool is_fixed() const noexcept { return smallest == largest; }
  // Of a connection's message, counted from 0.
  [[nodiscard]] std::uint32_t size_of(std::uint32_t connection,
                                      std::uint64_t message) const noexcept;
};

// Rates of an open loop, one after the other.
struct RateSteps {
  std::vector<double> rates_per_s;   // None: the rate stays.
  std::chrono::nanoseconds time{0};  // Of each.
};

struct LoadPlan {
  sys::SocketAddress server;
  std::vector<sys::SocketAddress> sources;  // Taken in turns; none: the kernel chooses.
  LoadMode mode = LoadMode::echo;
  std::uint32_t connections = 64;
  std::uint32_t active = 64;  // How many of them exchange messages; the others are just there.
  MessageSizes sizes;
  std::uint32_t depth = 1;  // Most messages outstanding on a connection.
  std::uint32_t threads = 1;
  std::optional<double> rate_per_s;          // Open loop: messages per second in all.
  RateSteps steps;                           // The first of them is rate_per_s.
  Arrivals arrivals = Arrivals::constant;    // Open loop.
  std::optional<std::uint64_t> messages;     // Open loop: no more than these; then all are idle.
  std::optional<double> connect_rate_per_s;  // While the connections are made.
  std::optional<Moment> start_at;            // When messages begin; else once all are connected.
  std::chrono::nanoseconds warmup = std::chrono::seconds(1);
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  std::chrono::nanoseconds interval = std::chrono::seconds(1);  // Of the series.
  // How long to wait for a connection, and for bytes that are owed.
  std::chrono::nanoseconds timeout = std::chrono::seconds(5);
  std::uint32_t seed = 0;           // Of what is sent (keyed_stream.hpp).
  std::optional<pid_t> server_pid;  // Whose CPU time and memory to report.
};

}  // namespace echod::client
