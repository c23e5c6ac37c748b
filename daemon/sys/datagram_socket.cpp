#include "sys/datagram_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "sys/socket_setup.hpp"

namespace echod::sys {

namespace {

// Whether SO_REUSEPORT is set before the address is bound. Otherwise bind(2) fails if another
// socket has the address, whatever options that socket has.
enum class Sharing : std::uint8_t { join, first };

// IP_PKTINFO tells which address was asked: the echo must come from it. On an IPv6 socket it is for
// IPv4 clients. IP_PMTUDISC_OMIT fragments large echoes and ignores what ICMP says about the path,
// which can be forged. IP_RECVERR stays off: with it the ICMP answer of one client would fail the
// echo to another.
void set_datagram_options(int fd) {
  const bool is_v6 = int_option(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN") == AF_INET6;
  if (is_v6) {
    set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
    set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT, "IPV6_MTU_DISCOVER");
  }
  set_option(fd, IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, "IP_MTU_DISCOVER");
}

// Without trains, datagrams cost more, and nothing else changes.
void ask_for_trains(int fd) noexcept {
  const int on = 1;
  (void)calls::setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
}

void set_buffers(int fd, const DatagramBuffers& buffers) {
  set_option(fd, SOL_SOCKET, SO_RCVBUF, buffers.receive_bytes, "SO_RCVBUF");
  set_option(fd, SOL_SOCKET, SO_SNDBUF, buffers.send_bytes, "SO_SNDBUF");
}

void prepare(int fd, const DatagramBuffers& buffers) {
  set_datagram_options(fd);
  ask_for_trains(fd);
  set_buffers(fd, buffers);
}

// Sets the options before it binds: for what arrives earlier, the kernel would not note the address
// that was asked.
UniqueFd open_bound_datagrams(const SocketAddress& address, bool v6only,
                              const DatagramBuffers& buffers, Sharing sharing) {
  const int family = address.is_v6() ? AF_INET6 : AF_INET;
  UniqueFd fd = UniqueFd::adopt(
      calls::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP));
  require(fd.get(), "socket");
  if (address.is_v6()) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, v6only ? 1 : 0, "IPV6_V6ONLY");
  }
  if (sharing == Sharing::join) {
    set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  }
  prepare(fd.get(), buffers);
  bind_to(fd.get(), address);
  return fd;
}

DatagramSocket described(UniqueFd fd) {
  DatagramSocket socket;
  socket.fd = std::move(fd);
  socket.address = bound_address(socket.fd.get());
  socket.receive_buffer_bytes = datagram_receive_buffer(socket.fd.get());
  return socket;
}

// What the process that opened a socket may have set: errors of other clients, and echoes to all
// hosts of a network.
void reset_options(int fd) {
  set_option(fd, IPPROTO_IP, IP_RECVERR, 0, "IP_RECVERR");
  if (int_option(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN") == AF_INET6) {
    set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 0, "IPV6_RECVERR");
  }
  set_option(fd, SOL_SOCKET, SO_BROADCAST, 0, "SO_BROADCAST");
}

UniqueFd open_first(const SocketAddress& address, bool v6only, const DatagramBuffers& buffers,
                    bool& fell_back_to_v4) {
  try {
    return open_bound_datagrams(address, v6only, buffers, Sharing::first);
  } catch (const std::system_error& error) {
    if (!serves_both(address, v6only) || !is_v6_missing(error.code().value())) {
      throw;
    }
  }
  fell_back_to_v4 = true;
  return open_bound_datagrams(SocketAddress::any_v4(address.port()), false, buffers,
                              Sharing::first);
}

}  // namespace

DatagramBuffers datagram_buffers(std::uint32_t receive_kib, std::uint32_t send_kib) noexcept {
  constexpr std::uint32_t kDefaultKib = 1024;
  // The kernel takes an int. config_keys.cpp allows values of 1 GiB, which are an int.
  const auto bytes = [](std::uint32_t kib) {
    constexpr int kKib = 1024;
    return static_cast<int>(kib == 0 ? kDefaultKib : kib) * kKib;
  };
  return {.receive_bytes = bytes(receive_kib), .send_bytes = bytes(send_kib)};
}

DatagramSocket open_datagram_socket(const SocketAddress& address, bool v6only,
                                    const DatagramBuffers& buffers) {
  bool fell_back_to_v4 = false;
  UniqueFd fd = open_first(address, v6only, buffers, fell_back_to_v4);
  // From now on open_another_datagram_socket() may bind to the address.
  set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  DatagramSocket socket = described(std::move(fd));
  socket.fell_back_to_v4 = fell_back_to_v4;
  return socket;
}

DatagramSocket open_another_datagram_socket(const DatagramSocket& first, bool v6only,
                                            const DatagramBuffers& buffers) {
  DatagramSocket socket =
      described(open_bound_datagrams(first.address, v6only, buffers, Sharing::join));
  socket.fell_back_to_v4 = first.fell_back_to_v4;
  return socket;
}

void require_datagrams_bindable(const SocketAddress& address, bool v6only) {
  bool fell_back_to_v4 = false;
  (void)open_first(address, v6only, datagram_buffers(0, 0), fell_back_to_v4);
}

std::optional<Binding> datagram_binding_of(int fd) {
  try {
    if (int_option(fd, SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL") != IPPROTO_UDP) {
      return std::nullopt;
    }
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTSOCK) {
      return std::nullopt;
    }
    throw;
  }
  const SocketAddress address = bound_address(fd);
  if (address.port() == 0) {
    return std::nullopt;
  }
  // The family of the socket: bound_address() makes an IPv4-mapped address an IPv4 address.
  const bool is_v6 = int_option(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN") == AF_INET6;
  return Binding{.address = address,
                 .v6only = is_v6 && int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY") == 1};
}

DatagramSocket adopt_datagram_socket(UniqueFd fd, const DatagramBuffers& buffers) {
  int on = 1;
  require(calls::ioctl(fd.get(), FIONBIO, &on), "FIONBIO");
  reset_options(fd.get());
  prepare(fd.get(), buffers);
  DatagramSocket socket = described(std::move(fd));
  socket.is_passed = true;
  socket.dropped_before = datagram_queue(socket.fd.get()).dropped;
  return socket;
}

void set_datagram_buffers(DatagramSocket& socket, const DatagramBuffers& buffers) {
  set_buffers(socket.fd.get(), buffers);
  socket.receive_buffer_bytes = datagram_receive_buffer(socket.fd.get());
}

std::uint32_t datagram_receive_buffer(int fd) noexcept {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  (void)calls::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &length);  // Else it stays 0.
  return static_cast<std::uint32_t>(bytes);
}

DatagramQueue datagram_queue(int fd) noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof memory;
  (void)calls::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &length);  // Else all is 0.
  return {.used_bytes = memory[SK_MEMINFO_RMEM_ALLOC], .dropped = memory[SK_MEMINFO_DROPS]};
}

void note_dropped(const DatagramSocket& socket) noexcept {
  socket.noted_dropped->store(datagram_queue(socket.fd.get()).dropped - socket.dropped_before);
}

// Owns the socket only for the call: after a drain the last owner closes it.
DatagramQueue DatagramWatch::queue() const noexcept {
  const auto socket = socket_.lock();
  if (socket == nullptr) {
    return {.used_bytes = 0, .dropped = noted_dropped_->load()};
  }
  DatagramQueue queue = datagram_queue(socket->fd.get());
  queue.dropped -= socket->dropped_before;
  return queue;
}

}  // namespace echod::sys
