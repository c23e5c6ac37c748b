#include "tcp_peer.hpp"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "peer_address.hpp"

namespace echod::test {

namespace {

constexpr std::size_t kReceiveBytes = 65536;

[[noreturn]] void fail(const char* what, int error) {
  throw std::system_error(error, std::system_category(), std::string("test client: ") + what);
}

void set_option(int fd, int level, int option, int value) {
  if (setsockopt(fd, level, option, &value, sizeof value) != 0) {
    fail("setsockopt", errno);
  }
}

}  // namespace

TcpPeer::TcpPeer(const std::string& host, std::uint16_t port, const PeerOptions& options) {
  const PeerAddress target = address_at(host, port);
  fd_ = socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd_ < 0) {
    fail("socket", errno);
  }
  set_option(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  set_buffers(options);
  const auto* const address = reinterpret_cast<const sockaddr*>(&target.storage);
  int error = ::connect(fd_, address, target.length) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    wait_for(POLLOUT, "connect", Deadline());
    socklen_t length = sizeof error;
    (void)getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) {
    close();
    fail("connect", error);
  }
}

TcpPeer::TcpPeer(const std::string& path, const PeerOptions& options)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (fd_ < 0) {
    fail("socket", errno);
  }
  set_buffers(options);
  const sockaddr_un address = local_address(path);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    close();
    fail("connect", error);
  }
}

void TcpPeer::set_buffers(const PeerOptions& options) const {
  if (options.receive_buffer_bytes > 0) {
    set_option(fd_, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  }
  if (options.send_buffer_bytes > 0) {
    set_option(fd_, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  }
}

void TcpPeer::wait_for(short events, const char* what, const Deadline& deadline) const {
  pollfd wanted{.fd = fd_, .events = events, .revents = 0};
  if (poll(&wanted, 1, deadline.left_ms()) == 0) {
    fail(what, ETIMEDOUT);
  }
}

std::uint16_t TcpPeer::local_port() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    fail("getsockname", errno);
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  return ntohs(v4.sin_port);  // IPv6 has the port at the same offset.
}

std::string TcpPeer::name() const {
  return "127.0.0.1:" + std::to_string(local_port());
}

void TcpPeer::send_all(std::string_view bytes) {
  const Deadline deadline;
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT, "send", deadline);
    } else {
      fail("send", errno);
    }
  }
}

void TcpPeer::send_urgent(char byte) const {
  if (::send(fd_, &byte, 1, MSG_OOB | MSG_NOSIGNAL) != 1) {
    fail("send urgent", errno);
  }
}

void TcpPeer::send_with_descriptor(char byte) const {
  iovec piece{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd_)> control{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  const int descriptor = STDERR_FILENO;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  if (sendmsg(fd_, &message, MSG_NOSIGNAL) != 1) {
    fail("send with a descriptor", errno);
  }
}

void TcpPeer::half_close() const {
  if (shutdown(fd_, SHUT_WR) != 0) {
    fail("shutdown", errno);
  }
}

std::size_t TcpPeer::unacknowledged() const {
  int bytes = 0;
  if (ioctl(fd_, SIOCOUTQ, &bytes) != 0) {
    fail("SIOCOUTQ", errno);
  }
  return static_cast<std::size_t>(bytes);
}

void TcpPeer::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  (void)setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void TcpPeer::close() {
  if (fd_ >= 0) {
    (void)::close(std::exchange(fd_, -1));
  }
}

std::string TcpPeer::receive_exactly(std::size_t count) {
  const Deadline deadline;
  std::string bytes(count, '\0');
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = recv(fd_, bytes.data() + done, count - done, 0);
    if (got > 0) {
      done += static_cast<std::size_t>(got);
    } else if (got == 0) {
      throw std::runtime_error("test client: end of stream after " + std::to_string(done) + " of " +
                               std::to_string(count) + " bytes");
    } else if (errno == EAGAIN) {
      wait_for(POLLIN, "receive", deadline);
    } else {
      fail("receive", errno);
    }
  }
  return bytes;
}

bool TcpPeer::echoes(std::string_view bytes) {
  send_all(bytes);
  return receive_exactly(bytes.size()) == bytes;
}

Tail TcpPeer::receive_to_end() {
  const Deadline deadline;
  Tail tail;
  std::vector<char> chunk(kReceiveBytes);
  for (;;) {
    const ssize_t got = recv(fd_, chunk.data(), chunk.size(), 0);
    if (got > 0) {
      tail.bytes.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      return tail;
    } else if (errno == ECONNRESET) {
      tail.ending = Ending::reset;
      return tail;
    } else if (errno == EAGAIN) {
      wait_for(POLLIN, "the daemon's end of the stream", deadline);
    } else {
      fail("receive", errno);
    }
  }
}

bool TcpPeer::has_news(const Deadline& deadline) {
  pollfd wanted{.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  return poll(&wanted, 1, deadline.left_ms()) > 0;
}

}  // namespace echod::test
