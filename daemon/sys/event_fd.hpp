// Owner of one eventfd(2): a counter that one thread raises to wake another's epoll.
#pragma once

#include "sys/unique_fd.hpp"

namespace echod::sys {

class EventFd {
 public:
  // Throws std::system_error.
  EventFd();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  // Makes the descriptor readable. Safe from any thread; never blocks.
  void signal() noexcept;
  // Makes it unreadable again.
  void clear() noexcept;

 private:
  UniqueFd fd_;
};

}  // namespace echod::sys
