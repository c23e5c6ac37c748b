// What a worker counts. Each thread has its own; they are added up in the end.
// Thread-safety: none.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/measure/histogram.hpp"
#include "client/stream/origin.hpp"
#include "sys/clock.hpp"

namespace echod::client {

// What can go wrong with a connection. Those of FaultKind come first, in its order.
enum class LoadError : std::uint8_t {
  corrupted,
  lost,
  duplicated,
  reordered,
  crossed,
  unsolicited,
  truncated,        // End of file after our half-close, before everything had come back.
  closed_early,     // End of file though we had not closed.
  reset,            // RST, or another error of an established connection.
  stalled,          // Nothing came for the timeout, though bytes were owed.
  no_end,           // No end of file within the timeout after our half-close.
  abandoned,        // The run was over while bytes were owed.
  refused,          // No connection: nobody listens.
  connect_timeout,  // No connection within the timeout.
  no_local_port,    // No connection: all ports of the source addresses are in use.
  to_itself,        // The socket connected to itself, because no server listens on the port.
  connect_failed,   // No connection for another reason.
};
inline constexpr std::size_t kLoadErrors = 17;

// As in reports: "lost", "connect_timeout", ...
[[nodiscard]] std::string_view name_of(LoadError error) noexcept;
// Whether the server sent other bytes than it had received, or fewer.
[[nodiscard]] bool is_mismatch(LoadError error) noexcept;

// The messages of an open loop: from when they were begun until their echoes arrived.
struct ServiceTime {
  std::uint64_t messages = 0;
  std::chrono::nanoseconds total{0};

  void add(const ServiceTime& other) noexcept {
    messages += other.messages;
    total += other.total;
  }
};

// What belongs to one of plan.steps, by the same rules as in Tally.
struct StepTally {
  std::uint64_t echoes = 0;
  Histogram latency;  // Of all messages that were due in it.
  ServiceTime service;

  void add(const StepTally& other) noexcept;
};

struct Tally {
  static constexpr std::size_t kMostDetails = 20;
  // A line about an error.
  struct Detail {
    sys::TimePoint time;
    std::string text;
  };

  // Over the whole run.
  std::uint64_t connected = 0;  // Connections that are open now.
  std::uint64_t lost = 0;       // Connections that failed or could not be made.
  // How long the lost connections that are back were away: until their first echo, or, without
  // messages, until they were open.
  Histogram outage;
  std::array<std::uint64_t, kLoadErrors> errors{};
  // What the kernel knew of each connection when it ended (TCP_INFO).
  std::uint64_t retransmissions = 0;
  Histogram round_trip;         // The smoothed round trip.
  std::vector<Detail> details;  // Of the first errors, in their order.

  // Of the measuring window.
  std::uint64_t echoes = 0;  // Messages of which the last byte came back.
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t not_sent = 0;  // Due, but never sent: the server, or this client, fell behind.
  // Due while their connection was lost, and sent after it was back.
  std::uint64_t unconnected = 0;
  // From when a message was due (open loop) or begun (closed loop) until its echo arrived. Holds
  // the messages that were due or begun in the window. A message that failed counts as the timeout,
  // or as long as it waited if that is longer.
  Histogram latency;
  // From when a connection was begun until it was up. In mode connect of the window, else of the
  // whole run.
  Histogram connect;
  Histogram first_byte;   // Likewise, until the first byte of the echo; mode connect only.
  Histogram send_lag;     // How late this client was with messages that were due.
  Histogram receive_lag;  // How late it read the last byte of an echo.
  ServiceTime service;

  void count(LoadError error, std::string detail);
  // A line for each of the first errors.
  [[nodiscard]] std::vector<std::string> detail_lines() const;
  [[nodiscard]] std::uint64_t errors_in_all() const noexcept;
  [[nodiscard]] std::uint64_t mismatches() const noexcept;
  void add(const Tally& other);
};

}  // namespace echod::client
