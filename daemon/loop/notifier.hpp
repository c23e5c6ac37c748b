// Wakes an event loop from another thread. Like a condition that is raised: notifications that come
// before the loop has acted on the first are one.
//
// Thread-safety: notify() is for any thread, at any time in the notifier's life; it neither blocks
// nor allocates. Everything else belongs to the loop's thread, or to set-up before that starts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "loop/channel.hpp"

namespace echod {

class EventLoop;

class Notifier final : public Channel {
 public:
  // `on_notified` runs in the loop's thread as a turn: it must not block, must do a bounded amount
  // of work, and must not throw. Throws std::bad_alloc. The loop must outlive the notifier.
  Notifier(EventLoop& loop, std::function<void()> on_notified);
  ~Notifier() override;

  // `on_notified` runs once more, soon. What the caller wrote before is visible to it.
  void notify() noexcept;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  friend class EventLoop;

  EventLoop& loop_;
  std::function<void()> on_notified_;
  std::atomic<bool> is_raised_{false};
};

}  // namespace echod
