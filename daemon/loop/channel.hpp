// Something an event loop gives turns to: a connection, a listener, a wake-up, a timeout sweep.
//
// Events never run a turn by themselves. They are merged into the channel, which becomes ready;
// each iteration then makes one pass, in which no channel has more than one turn. A channel that
// stops because its budget is spent, not because the kernel has nothing more, returns `again`: with
// edge-triggered epoll no new event would come for it.
//
// Thread-safety: a channel belongs to its loop's thread.
#pragma once

#include <cstdint>

#include "loop/list_hook.hpp"

namespace echod {

enum class Turn : std::uint8_t {
  wait,   // Nothing to do until the next event or enqueue().
  again,  // More to do: one more turn in the next pass.
};

class Channel : public ListHook {
 public:
  virtual ~Channel() = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // One bounded turn. `events` are the EPOLL* bits that were merged since the last one, 0 when the
  // turn comes from the ready list alone. Must not block and must not destroy the channel itself.
  virtual Turn on_turn(std::uint32_t events) noexcept = 0;

 protected:
  Channel() noexcept = default;

 private:
  friend class EventLoop;

  static constexpr std::uint32_t kNoSlot = UINT32_MAX;

  std::uint32_t slot_ = kNoSlot;  // Where the loop's table has it; kNoSlot: not registered.
  std::uint32_t generation_ = 0;  // Tells it from earlier users of the slot.
  std::uint16_t pending_events_ = 0;
  bool is_ready_ = false;  // Waits for a turn.
};

}  // namespace echod
