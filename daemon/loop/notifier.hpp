// Runs a callback in the thread of an event loop when another thread requests it. Notifications
// that arrive before the loop handles the first of them count as one.
//
// Thread-safety: notify() may be called from any thread; it does not block and does not allocate.
// Everything else must be called from the loop's thread, or before that thread starts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "loop/channel.hpp"

namespace echod {

class EventLoop;

class Notifier final : public Channel {
 public:
  // `on_notified` runs in the loop's thread as a turn. It must not block, must do a bounded amount
  // of work, and must not throw. The loop must outlive the notifier. Throws std::bad_alloc.
  Notifier(EventLoop& loop, std::function<void()> on_notified);
  ~Notifier() override;

  // Makes `on_notified` run once more. It sees everything that the caller wrote before this call.
  void notify() noexcept;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  friend class EventLoop;

  EventLoop& loop_;
  std::function<void()> on_notified_;
  std::atomic<bool> is_raised_{false};
};

}  // namespace echod
