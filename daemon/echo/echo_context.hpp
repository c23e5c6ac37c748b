// What the connections of one worker share. Members are declared so that each may use those above
// it and is destroyed before them.
// Thread-safety: belongs to the worker's thread, except `counters`, `listener_counts`,
// `server_delay` and `relay.buffered_bytes()`, which any thread may read.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "admission/acceptor.hpp"
#include "admission/admission.hpp"
#include "admission/connection_sink.hpp"
#include "echo/connection_table.hpp"
#include "echo/echo_settings.hpp"
#include "echo/pinned_rounds.hpp"
#include "echo/relay.hpp"
#include "loop/event_loop.hpp"
#include "sys/listen_socket.hpp"
#include "telemetry/connection_log.hpp"
#include "telemetry/counters.hpp"
#include "telemetry/delay_histogram.hpp"
#include "telemetry/line_limits.hpp"
#include "telemetry/listener_counts.hpp"

namespace echod {

// The references must outlive it.
struct EchoContext final : public ConnectionSink {
  EchoContext(EventLoop& event_loop, const EchoSettings& initial, WorkerLogs logs,
              LineLimits& line_limits, std::atomic<std::size_t>& pinned_rounds_in_all,
              WorkerAdmission worker_admission);

  [[nodiscard]] bool reserve() noexcept override { return table.reserve() && loop.reserve(); }
  void adopt(sys::Accepted accepted, std::uint8_t listener) noexcept override;
  // Continues a parked connection, whose descriptors it takes over; `memory` keeps the bytes that
  // it owes. If memory runs out, resets the connection instead and counts it in `not_resumed`.
  void resume(const ParkedConnection& parked, const std::shared_ptr<const void>& memory) noexcept;

  // Counts an accepted connection that is closed because there is no memory for it.
  void count_lost(std::uint8_t listener) noexcept;

  // What the acceptor of the same worker uses.
  [[nodiscard]] Acceptor::Context acceptor_context() noexcept {
    return {.loop = loop,
            .admission = admission,
            .counters = counters,
            .log = log,
            .connections = *this};
  }

  // Takes over new settings. They hold from the next turn on.
  void apply(const EchoSettings& wanted) noexcept;

  EventLoop& loop;
  const WorkerAdmission admission;
  EchoSettings settings;
  bool is_draining = false;  // Set once, by the worker.
  std::atomic<std::uint64_t> not_resumed{0};
  Counters counters;
  ListenerCounts listener_counts;
  DelayHistogram server_delay;
  ConnectionLog log;
  PinnedRounds pinned_rounds;
  Relay relay{counters, server_delay, pinned_rounds};
  ConnectionTable table;
};

}  // namespace echod
