#include "sys/stream_socket.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <array>
#include <cstring>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

IoResult queue_length(int fd, unsigned long request) noexcept {
  int bytes = 0;
  const IoResult result = IoResult::of(calls::ioctl(fd, request, &bytes));
  return result.ok() ? IoResult::of(bytes) : result;
}

void read_control(const cmsghdr& header, SocketRead& read) noexcept {
  if (header.cmsg_level == SOL_SOCKET && header.cmsg_type == SCM_TIMESTAMPNS) {
    timespec time{};
    std::memcpy(&time, CMSG_DATA(&header), sizeof time);
    read.arrived = wall_time_of(time);
  } else if (header.cmsg_level == IPPROTO_UDP && header.cmsg_type == UDP_GRO) {
    int bytes = 0;
    std::memcpy(&bytes, CMSG_DATA(&header), sizeof bytes);
    read.segment_bytes = static_cast<std::size_t>(bytes);
  }
}

SocketRead read_with_time(int fd, std::span<std::byte> into, int flags) noexcept {
  iovec piece{.iov_base = into.data(), .iov_len = into.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(int))>
      control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  const IoResult result = retry_on_eintr([&] {
    message.msg_controllen = control.size();
    return calls::recvmsg(fd, &message, flags);
  });
  SocketRead read{.result = result};
  if (result.count() > 0) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      read_control(*header, read);
    }
  }
  return read;
}

// Without space for control data no descriptor enters this process.
SocketRead read_local(int fd, std::span<std::byte> into, int flags) noexcept {
  iovec piece{.iov_base = into.data(), .iov_len = into.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const IoResult result = retry_on_eintr([&] { return calls::recvmsg(fd, &message, flags); });
  return {.result = result,
          .had_control_data = result.ok() && (message.msg_flags & MSG_CTRUNC) != 0};
}

}  // namespace

IoResult receive(int fd, std::span<std::byte> into) noexcept {
  return retry_on_eintr([&] { return calls::recv(fd, into.data(), into.size(), 0); });
}

IoResult peek(int fd, std::span<std::byte> into) noexcept {
  return retry_on_eintr([&] { return calls::recv(fd, into.data(), into.size(), MSG_PEEK); });
}

IoResult discard(int fd, std::span<std::byte> scratch) noexcept {
  return retry_on_eintr([&] { return calls::recv(fd, scratch.data(), scratch.size(), MSG_TRUNC); });
}

void stamp_arrivals(int fd) noexcept {
  const int on = 1;
  (void)calls::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

SocketRead receive_with_time(int fd, std::span<std::byte> into) noexcept {
  return read_with_time(fd, into, 0);
}

SocketRead peek_with_time(int fd, std::span<std::byte> into) noexcept {
  return read_with_time(fd, into, MSG_PEEK);
}

SocketRead receive_local(int fd, std::span<std::byte> into) noexcept {
  return read_local(fd, into, 0);
}

SocketRead peek_local(int fd, std::span<std::byte> into) noexcept {
  return read_local(fd, into, MSG_PEEK);
}

IoResult send(int fd, std::span<const std::byte> bytes) noexcept {
  return retry_on_eintr([&] { return calls::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
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
