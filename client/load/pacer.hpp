// Makes things happen when a schedule says so, to the exactness of the kernel's timers: the
// millisecond of epoll_wait(2) would be most of the latency that is to be measured.
// Thread-safety: belongs to its loop's thread.
#pragma once

#include <cstdint>
#include <functional>

#include "channel.hpp"
#include "event_loop.hpp"
#include "schedule.hpp"
#include "timer_fd.hpp"

namespace echod::client {

class Pacer final : public Channel {
 public:
  // Called for each message of the schedule, counted from 0, in order, never early, with the moment
  // at which it was due. False: there is no room for it, and it is called again a little later.
  using OnDue = std::function<bool(std::uint64_t number, sys::TimePoint due)>;

  // Throws std::system_error.
  Pacer(EventLoop& loop, OnDue on_due);
  ~Pacer() override;
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  // Begins with number 0 and ends before number `end`.
  void start(const Schedule& schedule, std::uint64_t end = UINT64_MAX) noexcept;
  // Ends before what is due at `moment` or later.
  void end_before(sys::TimePoint moment) noexcept { end_moment_ = moment; }
  void stop() noexcept { end_ = next_; }
  [[nodiscard]] bool has_ended() const noexcept {
    return next_ == end_ || schedule_.due() >= end_moment_;
  }
  // What it has not come to: the rest of the schedule, and at most how many of it.
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
