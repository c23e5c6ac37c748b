// What a worker counts. Each thread has its own tally. They are added up at the end.
// Thread-safety: none.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client/measure/histogram.hpp"
#include "client/stream/load_error.hpp"
#include "sys/clock.hpp"

namespace echod::client {

// Messages of an open loop, and the sum of their times from begin to echo.
struct ServiceTime {
  std::uint64_t messages = 0;
  std::chrono::nanoseconds total{0};

  void add(const ServiceTime& other) noexcept {
    messages += other.messages;
    total += other.total;
  }
};

// The counts of one of plan.steps. The members mean the same as in Tally.
struct StepTally {
  std::uint64_t echoes = 0;
  Histogram latency;  // All messages due in the step.
  ServiceTime service;

  void add(const StepTally& other) noexcept;
};

// What happened to the datagrams of the whole run. A network may cause all of it, so it is no error
// of the server.
struct DatagramCounts {
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;          // Not answered within plan.timeout.
  std::uint64_t late = 0;          // Lost, and answered later.
  std::uint64_t duplicated = 0;    // Answers that came again.
  std::uint64_t reordered = 0;     // Answers that came after the answer to a later datagram.
  std::uint64_t dropped_here = 0;  // Answers that this host dropped: its receive buffer was full.
  std::uint64_t split_bursts = 0;  // Bursts that the kernel could not send at once.

  void add(const DatagramCounts& other) noexcept;
  // The part of the datagrams that was lost, in percent.
  [[nodiscard]] double loss_percent() const noexcept;
};

struct Tally {
  static constexpr std::size_t kMostDetails = 20;
  // One line about one error.
  struct Detail {
    sys::TimePoint time;
    std::string text;
  };

  // The whole run.
  std::uint64_t connected = 0;  // Connections open now.
  std::uint64_t lost = 0;       // How often a connection was lost (load_connection.hpp).
  // The time from loss to recovery of each lost connection that recovered.
  Histogram outage;
  std::array<std::uint64_t, kLoadErrors> errors{};
  // What the kernel reported about each connection when it closed (TCP_INFO).
  std::uint64_t retransmissions = 0;
  Histogram round_trip;         // The smoothed round-trip time.
  std::vector<Detail> details;  // The first errors, oldest first.
  DatagramCounts datagrams;     // UDP.
  // UDP: the longest silence (silence.hpp). After add(): the shortest of these figures of the
  // workers that have sent datagrams.
  std::chrono::nanoseconds silence{0};

  // The measuring window.
  std::uint64_t echoes = 0;  // Messages that came back completely.
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t not_sent = 0;  // Due but never sent: the server or this client fell behind.
  // Messages that became due while their connection was lost.
  std::uint64_t due_while_lost = 0;
  // From when a message was due (open loop) or begun (closed loop) until its echo arrived or, in
  // mode connect, the end of file was read. Includes the messages that were due or begun in the
  // window. A failed message counts as the timeout, or as its waiting time if that is longer. Empty
  // in mode stream.
  Histogram latency;
  // From before connect(2) until this client saw that the connection is open. Includes all
  // connections of the run, or in mode connect those whose message was due or begun in the window.
  Histogram connect;
  // Mode connect: from before connect(2) until the first byte of the echo was read. Includes the
  // same connections.
  Histogram first_byte;
  Histogram send_lag;  // Open loop: from when a message was due until this client handled it.
  // Mode echo: from when the end of an echo arrived until this client read it.
  Histogram receive_lag;
  ServiceTime service;

  void count(LoadError error, std::string detail);
  // The text of `details`.
  [[nodiscard]] std::vector<std::string> detail_lines() const;
  [[nodiscard]] std::uint64_t errors_in_all() const noexcept;
  [[nodiscard]] std::uint64_t mismatches() const noexcept;
  void add(const Tally& other);
};

}  // namespace echod::client
