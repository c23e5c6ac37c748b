// Checks all connections against their timeouts, a share of them a turn.
//
// A timer for each connection would cost it memory, and every echo a write to it. A sweep costs
// nothing while bytes flow, and closes a connection late by about a sixteenth of the shortest
// timeout in force (at least some 30 ms, at most 10 s), never early.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

#include "channel.hpp"
#include "config.hpp"
#include "timer.hpp"

namespace echod {

struct EchoContext;

// The time between two sweeps; nothing when no timeout is in force.
[[nodiscard]] std::optional<std::chrono::milliseconds> sweep_interval(
    const TimeoutsConfig& timeouts, bool is_draining) noexcept;

class TimeoutSweep final : public Channel {
 public:
  explicit TimeoutSweep(EchoContext& context);
  ~TimeoutSweep() override;

  // Starts over with the settings as they are now.
  void restart();
  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EchoContext& context_;
  Timer timer_;
  std::optional<std::chrono::milliseconds> interval_;
  std::size_t next_chunk_ = 0;
};

}  // namespace echod
