// Owns one timerfd(2) on the monotonic clock: a descriptor that becomes readable at a given moment.
// It is more precise than the timeout of epoll_wait(2), which is in milliseconds.
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
  // Makes the descriptor readable from `moment` on, or at once if that has passed. Setting it again
  // makes it unreadable until the new moment, so an edge-triggered caller need not read it.
  void expire_at(TimePoint moment) noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace echod::sys
