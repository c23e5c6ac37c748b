// Owns one eventfd(2), with which one thread wakes the epoll of another.
//
// Thread-safety: signal() from any thread; clear() from the thread that is woken. Never blocks.
#pragma once

#include "sys/unique_fd.hpp"

namespace echod::sys {

class EventFd {
 public:
  // Throws std::system_error.
  EventFd();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Makes the descriptor readable.
  void signal() noexcept;
  // Makes it unreadable again.
  void clear() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace echod::sys
