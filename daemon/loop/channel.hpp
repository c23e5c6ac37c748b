// The base class of what an event loop gives turns to: a connection, a listener, a wake-up, a
// timeout sweep.
//
// An event does not run a turn. The loop merges it into the channel and marks the channel ready.
// Each iteration then makes one pass over the ready list, in which a channel has at most one turn.
// A channel that stops because its budget is spent must return `again`: with edge-triggered epoll
// no new event would arrive for the bytes that are left.
//
// Thread-safety: a channel belongs to its loop's thread.
#pragma once

#include <cstdint>

#include "loop/list_hook.hpp"

namespace echod {

enum class Turn : std::uint8_t {
  wait,   // Nothing to do until the next event or enqueue().
  again,  // More to do: needs a turn in the next pass.
};

class Channel : public ListHook {
 public:
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Runs one turn, with a bounded amount of work. `events` are the EPOLL* bits merged since the
  // last turn; 0 if there was no event. Must not block and must not destroy the channel itself.
  virtual Turn on_turn(std::uint32_t events) noexcept = 0;

 protected:
  Channel() noexcept = default;

 private:
  friend class EventLoop;

  static constexpr std::uint32_t kNoSlot = UINT32_MAX;

  std::uint32_t slot_ = kNoSlot;  // Index in the loop's table; kNoSlot: not registered.
  std::uint32_t generation_ = 0;  // Differs from that of earlier users of the slot.
  std::uint16_t pending_events_ = 0;
  bool is_ready_ = false;  // Waits for a turn.
};

}  // namespace echod
