// Calls a function at each moment of a schedule, with the precision of the kernel's timers. The
// millisecond of epoll_wait(2) is too coarse for measuring latency.
// Thread-safety: used only by its loop's thread.
#pragma once

#include <cstdint>
#include <functional>

#include "client/measure/schedule.hpp"
#include "client/sys/timer_fd.hpp"
#include "loop/channel.hpp"
#include "loop/event_loop.hpp"

namespace echod::client {

class Pacer final : public Channel {
 public:
  // Called for each message in order, never early. `number` counts from 0; `due` is when the
  // message was due. If it returns false, the call is repeated 1 ms later.
  using OnDue = std::function<bool(std::uint64_t number, sys::TimePoint due)>;

  // Throws std::system_error.
  Pacer(EventLoop& loop, OnDue on_due);
  ~Pacer() override;
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  // Starts with message 0 and ends before message `end`.
  void start(const Schedule& schedule, std::uint64_t end = UINT64_MAX) noexcept;
  // Ends before the first message due at `moment` or later.
  void end_before(sys::TimePoint moment) noexcept { end_moment_ = moment; }
  void stop() noexcept { end_ = next_; }
  [[nodiscard]] bool has_ended() const noexcept {
    return next_ == end_ || schedule_.due() >= end_moment_;
  }
  // The messages not yet passed on: their schedule, and how many they are at most.
  [[nodiscard]] const Schedule& remaining_schedule() const noexcept { return schedule_; }
  [[nodiscard]] std::uint64_t remaining() const noexcept { return end_ - next_; }

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  OnDue on_due_;
  sys::TimerFd timer_;
  Schedule schedule_;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
  sys::TimePoint end_moment_ = sys::TimePoint::max();
};

}  // namespace echod::client
