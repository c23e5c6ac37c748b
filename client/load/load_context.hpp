// What the connections of one load worker share.
// Thread-safety: belongs to the worker's thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "clock.hpp"
#include "event_loop.hpp"
#include "load_plan.hpp"
#include "series.hpp"
#include "tally.hpp"

namespace echod::client {

// The time that is measured.
struct Window {
  sys::TimePoint begin = sys::TimePoint::max();
  sys::TimePoint end = sys::TimePoint::max();

  [[nodiscard]] bool contains(sys::TimePoint moment) const noexcept {
    return begin <= moment && moment < end;
  }
};

struct LoadContext {
  // At most so many bytes are read, and so many sent, in one turn of a connection.
  static constexpr std::size_t kTurnBytes = 256 << 10;
  static constexpr std::size_t kCallBytes = 64 << 10;  // In one call: small enough for the caches.
  // Connections that are being made at a time, so that a listen backlog of ordinary length holds
  // them.
  static constexpr std::uint64_t kMostOpening = 128;

  // Messages of an open loop that are due and not begun: each takes 8 bytes, or 16. A client this
  // far behind comes to the others later.
  static constexpr std::uint64_t kMostUnbegun = 4 << 20;

  LoadContext(EventLoop& event_loop, const LoadPlan& load_plan)
      : loop(event_loop),
        plan(load_plan),
        steps(load_plan.steps.rates_per_s.size()),
        receive_buffer(kCallBytes),
        send_buffer(kCallBytes) {}

  [[nodiscard]] bool is_open_loop() const noexcept { return plan.rate_per_s.has_value(); }

  // The step of which `moment` is; nothing if there are no steps. Only of a moment in the window.
  [[nodiscard]] StepTally* step_at(sys::TimePoint moment) noexcept {
    if (steps.empty()) {
      return nullptr;
    }
    const auto step = static_cast<std::size_t>((moment - window.begin) / plan.steps.time);
    return &steps[std::min(step, steps.size() - 1)];
  }
  // How long messages took that count from `start`. No-op outside the window.
  void record_latency(sys::TimePoint start, sys::Duration latency,
                      std::uint64_t messages = 1) noexcept {
    if (!window.contains(start)) {
      return;
    }
    tally.latency.record(latency, messages);
    interval_latency.record(latency, messages);
    if (StepTally* const step = step_at(start); step != nullptr) {
      step->latency.record(latency, messages);
    }
  }

  EventLoop& loop;
  const LoadPlan& plan;
  Tally tally;
  Histogram interval_latency;    // As tally.latency, since the current interval began.
  std::vector<StepTally> steps;  // Apart from the tally, which is copied again and again.
  Window window;
  std::uint32_t active = 0;      // This worker's share of the active connections.
  bool is_stopping = false;      // No more messages will be due, or begun in a closed loop.
  std::uint64_t opening = 0;     // Connections that are being made.
  std::uint64_t unbegun = 0;     // Messages of an open loop that are due and not begun.
  std::uint64_t in_flight = 0;   // Messages begun and neither answered nor given up.
  std::uint64_t ending = 0;      // Connections that wait for the end of file.
  std::uint64_t diagnosing = 0;  // Connections that wait for evidence.
  // Places of connections that were lost a moment ago, to be made again. Some may be back already.
  std::deque<std::uint32_t> lost_slots;
  std::vector<std::byte> receive_buffer;
  std::vector<std::byte> send_buffer;
};

}  // namespace echod::client
