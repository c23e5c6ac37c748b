#include "client/sys/datagram_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <array>
#include <cerrno>

#include "client/sys/client_socket.hpp"
#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

IoResult set_int_option(int fd, int level, int option, int value) noexcept {
  return IoResult::of(calls::setsockopt(fd, level, option, &value, sizeof value));
}

UniqueFd udp_socket(const SocketAddress& address) noexcept {
  return UniqueFd::adopt(calls::socket(address.is_v6() ? AF_INET6 : AF_INET,
                                       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
}

IoResult bind_datagram(int fd, const SocketAddress& address) noexcept {
  sockaddr_storage storage{};
  const socklen_t length = address.to(storage);
  return IoResult::of(calls::bind(fd, reinterpret_cast<const sockaddr*>(&storage), length));
}

IoResult connect_datagram(int fd, const SocketAddress& address) noexcept {
  sockaddr_storage storage{};
  const socklen_t length = address.to(storage);
  return IoResult::of(calls::connect(fd, reinterpret_cast<const sockaddr*>(&storage), length));
}

}  // namespace

int ClientDatagramSocket::open(const SocketAddress& server, const SocketAddress& local,
                               int buffer_bytes) noexcept {
  IoResult result = open_connected(server, local, buffer_bytes);
  if (result.ok()) {
    result = open_stray(local);
  }
  if (!result.ok()) {
    close();
  }
  return result.error();
}

void ClientDatagramSocket::close() noexcept {
  fd_.reset();
  stray_fd_.reset();
}

// SO_REUSEADDR is set after bind(2): set before, it would let the kernel choose the port of another
// such socket.
IoResult ClientDatagramSocket::open_connected(const SocketAddress& server,
                                              const SocketAddress& local,
                                              int buffer_bytes) noexcept {
  fd_ = udp_socket(server);
  if (!fd_.is_open()) {
    return IoResult::failure(errno);
  }
  IoResult result = set_int_option(fd_.get(), SOL_SOCKET, SO_RCVBUF, buffer_bytes);
  if (result.ok()) {
    result = bind_datagram(fd_.get(), local);
  }
  if (result.ok()) {
    result = set_int_option(fd_.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  }
  if (result.ok()) {
    result = connect_datagram(fd_.get(), server);
  }
  if (result.ok() && is_self_connected(fd_.get())) {
    result = IoResult::failure(ECONNREFUSED);  // No server listens: the kernel chose its port.
  }
  return result;
}

IoResult ClientDatagramSocket::open_stray(const SocketAddress& local) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const IoResult named =
      IoResult::of(calls::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length));
  stray_fd_ = udp_socket(local);
  if (!stray_fd_.is_open()) {
    return IoResult::failure(errno);
  }
  SocketAddress address = local;
  address.set_port(SocketAddress::from(storage).port());
  IoResult result =
      named.ok() ? set_int_option(stray_fd_.get(), SOL_SOCKET, SO_REUSEADDR, 1) : named;
  if (result.ok()) {
    result = bind_datagram(stray_fd_.get(), address);
  }
  return result;
}

bool ClientDatagramSocket::set_segment(std::size_t bytes) const noexcept {
  return set_int_option(fd_.get(), SOL_UDP, UDP_SEGMENT, static_cast<int>(bytes)).ok();
}

void ClientDatagramSocket::accept_trains() const noexcept {
  (void)set_int_option(fd_.get(), SOL_UDP, UDP_GRO, 1);
}

Stray ClientDatagramSocket::receive_stray(std::span<std::byte> into) const noexcept {
  sockaddr_storage sender{};
  iovec piece{.iov_base = into.data(), .iov_len = into.size()};
  msghdr message{};
  message.msg_name = &sender;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const IoResult result = retry_on_eintr([&] {
    message.msg_namelen = sizeof sender;
    return calls::recvmsg(stray_fd_.get(), &message, 0);
  });
  return {.result = result, .sender = SocketAddress::from(sender)};
}

std::uint32_t ClientDatagramSocket::dropped() const noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> figures{};
  socklen_t length = sizeof figures;
  const int result = calls::getsockopt(fd_.get(), SOL_SOCKET, SO_MEMINFO, figures.data(), &length);
  return result == 0 && length == sizeof figures ? figures[SK_MEMINFO_DROPS] : 0;
}

SocketAddress any_local_address(const SocketAddress& server, std::uint16_t port) noexcept {
  return server.is_v6() ? SocketAddress::any_v6(port) : SocketAddress::any_v4(port);
}

}  // namespace echod::sys
