#include "sys/stream_socket.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "sys/restarting.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

IoResult queue_length(int fd, unsigned long request) noexcept {
  int bytes = 0;
  const IoResult result = IoResult::of(calls::ioctl(fd, request, &bytes));
  return result.ok() ? IoResult::of(bytes) : result;
}

}  // namespace

IoResult receive(int fd, std::span<std::byte> into) noexcept {
  return restarting([&] { return calls::recv(fd, into.data(), into.size(), 0); });
}

IoResult peek(int fd, std::span<std::byte> into) noexcept {
  return restarting([&] { return calls::recv(fd, into.data(), into.size(), MSG_PEEK); });
}

IoResult discard(int fd, std::size_t bytes) noexcept {
  return restarting([&] { return calls::recv(fd, nullptr, bytes, MSG_TRUNC); });
}

IoResult send(int fd, std::span<const std::byte> bytes) noexcept {
  return restarting([&] { return calls::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
}

IoResult shut_write(int fd) noexcept {
  return IoResult::of(calls::shutdown(fd, SHUT_WR));
}

void reset_on_close(int fd) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  // If this fails, close(2) sends FIN instead.
  (void)calls::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

IoResult unread_bytes(int fd) noexcept {
  return queue_length(fd, SIOCINQ);
}

IoResult unacknowledged_bytes(int fd) noexcept {
  return queue_length(fd, SIOCOUTQ);
}

int take_error(int fd) noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (calls::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
    return errno;
  }
  return error;
}

}  // namespace echod::sys
