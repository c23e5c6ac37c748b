// Checks all connections against their timeouts, a share of them a turn.
//
// A timer for each connection would cost it memory, and every echo a write to it. A sweep costs
// nothing while bytes flow. It learns of an acknowledgement, which is progress, up to a sixteenth
// of the shortest timeout in force after it came, and of a timeout that is over as much later: so
// it closes a connection late by at most about an eighth (at least some 40 ms, at most 20 s), and
// never early.
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
