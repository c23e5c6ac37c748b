// What the connections and listeners of one worker share: where they take turns, what they may use,
// whom they tell. Declared so that each member may use those above it, and dies before them.
// Thread-safety: belongs to the worker's thread, but for `counters` and `relay.buffered_bytes()`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "admission.hpp"
#include "connection_log.hpp"
#include "connection_table.hpp"
#include "counters.hpp"
#include "echo_settings.hpp"
#include "event_loop.hpp"
#include "line_limits.hpp"
#include "listen_socket.hpp"
#include "relay.hpp"

namespace echod {

// What the workers of one daemon share. It outlives them.
struct Shared {
  Shared(const EchoSettings& settings, std::size_t workers)
      : admission(settings.max_connections, workers) {
    apply(settings);
  }
  // Any thread.
  void apply(const EchoSettings& settings) noexcept;

  Admission admission;
  LineLimits line_limits;
};

struct EchoContext {
  // Of the worker with this number.
  EchoContext(EventLoop& event_loop, const EchoSettings& initial, WorkerLogs logs, Shared& shared,
              std::size_t worker_number);

  // Makes sure that there is memory for one more connection; false when there is none.
  [[nodiscard]] bool reserve() noexcept { return table.reserve() && loop.reserve(); }
  // Starts a connection, for which room was taken (admission.hpp). Only after reserve() returned
  // true.
  void adopt(sys::Accepted accepted) noexcept;

  // Takes over new settings; all of them hold from the next turn on.
  void apply(const EchoSettings& wanted) noexcept;

  // How soon accepting is tried again after a shortage that may end without a close of ours.
  static constexpr std::chrono::milliseconds kRetryInterval{250};

  EventLoop& loop;
  Admission& admission;
  const std::size_t worker;
  EchoSettings settings;
  bool is_draining = false;  // Set once, by the worker.
  Counters counters;
  ConnectionLog log;
  Relay relay{counters};
  ConnectionTable table;
};

}  // namespace echod
