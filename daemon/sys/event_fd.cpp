#include "sys/event_fd.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace echod::sys {

EventFd::EventFd() : fd_(UniqueFd::adopt(calls::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))) {
  if (!fd_.is_open()) {
    throw std::system_error(errno, std::system_category(), "eventfd");
  }
}

void EventFd::signal() noexcept {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is at its maximum: the descriptor is readable already.
  (void)calls::write(fd_.get(), &one, sizeof one);
}

void EventFd::clear() noexcept {
  std::uint64_t count = 0;
  (void)calls::read(fd_.get(), &count, sizeof count);  // EAGAIN: it was clear already.
}

}  // namespace echod::sys
