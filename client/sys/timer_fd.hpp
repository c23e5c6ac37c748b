// Owner of one timerfd(2) on the monotonic clock: a moment, exact to what the kernel's timers give,
// as a descriptor that becomes readable. For what the millisecond of epoll_wait(2) is too coarse.
// Thread-safety: none.
#pragma once

#include "sys/clock.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

class TimerFd {
 public:
  // Throws std::system_error.
  TimerFd();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Readable from `moment` on, at once if that has passed. Setting it again makes it unreadable
  // until the new moment, so an edge-triggered user never needs to read it.
  void expire_at(TimePoint moment) noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace echod::sys
