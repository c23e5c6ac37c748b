#include "sys/epoll.hpp"

#include <system_error>

#include "sys/invariant.hpp"

namespace echod::sys {

namespace {

IoResult control(int epoll, int operation, int fd, std::uint32_t events,
                 std::uint64_t token) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return IoResult::of(calls::epoll_ctl(epoll, operation, fd, &event));
}

}  // namespace

Epoll::Epoll() : fd_(UniqueFd::adopt(calls::epoll_create1(EPOLL_CLOEXEC))), events_{} {
  if (!fd_.is_open()) {
    throw std::system_error(errno, std::system_category(), "epoll_create1");
  }
}

IoResult Epoll::add(int fd, std::uint32_t events, std::uint64_t token) noexcept {
  return control(fd_.get(), EPOLL_CTL_ADD, fd, events, token);
}

IoResult Epoll::modify(int fd, std::uint32_t events, std::uint64_t token) noexcept {
  return control(fd_.get(), EPOLL_CTL_MOD, fd, events, token);
}

IoResult Epoll::remove(int fd) noexcept {
  return control(fd_.get(), EPOLL_CTL_DEL, fd, 0, 0);
}

std::span<const epoll_event> Epoll::wait(int timeout_ms) noexcept {
  const IoResult ready = IoResult::of(
      calls::epoll_wait(fd_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms));
  invariant(ready.ok() || ready.error() == EINTR, "epoll_wait fails only with EINTR");
  return std::span(events_).first(ready.count());
}

}  // namespace echod::sys
