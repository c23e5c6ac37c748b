// Makes things happen when a schedule says so, to the exactness of the kernel's timers: the
// millisecond of epoll_wait(2) would be most of the latency that is to be measured.
// Thread-safety: belongs to its loop's thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "channel.hpp"
#include "event_loop.hpp"
#include "schedule.hpp"
#include "timer_fd.hpp"

namespace echod::client {

class Pacer final : public Channel {
 public:
  // `on_due` is called for each number of the schedule, in order, never early. Throws
  // std::system_error.
  Pacer(EventLoop& loop, std::function<void(std::uint64_t number)> on_due);
  ~Pacer() override;
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  // Begins with number 0 and ends before `end`.
  void start(const Schedule& schedule, std::uint64_t end = UINT64_MAX) noexcept;
  // Ends before `end`, if that is sooner.
  void end_before(std::uint64_t end) noexcept { end_ = std::max(next_, std::min(end_, end)); }
  void stop() noexcept { end_ = next_; }
  [[nodiscard]] bool has_ended() const noexcept { return next_ == end_; }
  // The first number that it has not come to.
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t end() const noexcept { return end_; }

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  EventLoop& loop_;
  std::function<void(std::uint64_t)> on_due_;
  sys::TimerFd timer_;
  Schedule schedule_;
  std::uint64_t next_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace echod::client
