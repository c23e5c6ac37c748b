// State that the connections of one load worker share.
// Thread-safety: used only by the worker's thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "client/load/load_plan.hpp"
#include "client/load/series.hpp"
#include "client/load/silence.hpp"
#include "client/load/tally.hpp"
#include "client/sys/arrival_clock.hpp"
#include "loop/event_loop.hpp"
#include "sys/clock.hpp"

namespace echod::client {

// The measuring window: from `begin` to before `end`.
struct Window {
  sys::TimePoint begin = sys::TimePoint::max();
  sys::TimePoint end = sys::TimePoint::max();

  [[nodiscard]] bool contains(sys::TimePoint moment) const noexcept {
    return begin <= moment && moment < end;
  }
};

struct LoadContext {
  // The most bytes that one turn of a connection reads, and the most that it sends.
  static constexpr std::size_t kTurnBytes = 256 << 10;
  static constexpr std::size_t kCallBytes = 64 << 10;  // Per call; fits into the CPU caches.
  // The most connections of a worker that are opening at a time, so that they fit into an ordinary
  // listen backlog. Does not limit the connections that are opened by mode connect or at
  // plan.connect_rate_per_s.
  static constexpr std::uint64_t kMostOpening = 128;
  // The most messages of an open loop that are due and not begun. Each takes 8 to 16 bytes of
  // memory. Beyond that the pacer waits.
  static constexpr std::uint64_t kMostUnbegun = 4 << 20;

  LoadContext(EventLoop& event_loop, const LoadPlan& load_plan)
      : loop(event_loop),
        plan(load_plan),
        steps(load_plan.steps.rates_per_s.size()),
        receive_buffer(kCallBytes),
        send_buffer(kCallBytes) {}

  [[nodiscard]] bool is_open_loop() const noexcept { return plan.rate_per_s.has_value(); }
  // Whether the kernel's time stamps tell when the bytes of a stream arrived. They cost a little,
  // so only mode echo asks for them: mode stream has no latency, and that of mode connect ends with
  // the end of file, which has no time stamp. UNIX sockets have none.
  [[nodiscard]] bool uses_kernel_timestamps() const noexcept {
    return plan.mode == LoadMode::echo && !plan.server.is_local();
  }

  // The step that contains `moment`, which must be in the window. Null if there are no steps.
  [[nodiscard]] StepTally* step_at(sys::TimePoint moment) noexcept {
    if (steps.empty()) {
      return nullptr;
    }
    const auto step = static_cast<std::size_t>((moment - window.begin) / plan.steps.time);
    return &steps[std::min(step, steps.size() - 1)];
  }
  // Records the latency of messages that were due or begun at `start`. No-op if `start` is outside
  // the window.
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
  Silence silence;               // UDP.
  Histogram interval_latency;    // Like tally.latency, but of the current interval.
  std::vector<StepTally> steps;  // Apart from the tally, which is copied often.
  Window window;
  std::uint32_t active = 0;       // How many connections of this worker send messages.
  bool is_stopping = false;       // No more messages will become due or, in a closed loop, begin.
  std::uint64_t opening = 0;      // Connections that are opening.
  std::uint64_t unbegun = 0;      // Messages of an open loop that are due and not begun.
  std::uint64_t in_flight = 0;    // Messages begun, not yet answered or failed.
  std::uint64_t half_closed = 0;  // Connections that sent their FIN and wait for the server's.
  std::uint64_t diagnosing = 0;   // Connections that wait for evidence.
  // Whether every connection has been tried. Until then a connection that fails stays closed. Else
  // it might be opening again and again, and the worker would never be ready.
  bool is_ready = false;
  // Slots of lost connections to reopen at once. Some may be open again already.
  std::deque<std::uint32_t> lost_slots;
  sys::ArrivalClock arrival_clock;
  std::vector<std::byte> receive_buffer;
  std::vector<std::byte> send_buffer;
};

}  // namespace echod::client
