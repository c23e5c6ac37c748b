#include "client/sys/client_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/retry_on_eintr.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

IoResult set_option(int fd, int level, int option, int value) noexcept {
  return IoResult::of(calls::setsockopt(fd, level, option, &value, sizeof value));
}

// Must be set before connecting, because the SYN announces both.
IoResult set_receive_buffering(int fd, const ReceiveBuffering& buffering) noexcept {
  IoResult result = IoResult::of(0);
  if (buffering.buffer_bytes > 0) {
    result = set_option(fd, SOL_SOCKET, SO_RCVBUF, buffering.buffer_bytes);
  }
  if (result.ok() && buffering.segment_bytes > 0) {
    result = set_option(fd, IPPROTO_TCP, TCP_MAXSEG, buffering.segment_bytes);
  }
  return result;
}

IoResult bind_to(int fd, const SocketAddress& source) noexcept {
  if (source.port() == 0) {
    // Without it bind(2) reserves a port. If the option is refused, that is accepted.
    (void)set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  }
  sockaddr_storage storage{};
  const socklen_t length = source.to(storage);
  return IoResult::of(calls::bind(fd, reinterpret_cast<const sockaddr*>(&storage), length));
}

IoResult connect_to(int fd, const SocketAddress& server) noexcept {
  sockaddr_storage storage{};
  const socklen_t length = server.to(storage);
  const IoResult result =
      IoResult::of(calls::connect(fd, reinterpret_cast<const sockaddr*>(&storage), length));
  // After EINTR the kernel continues to connect (connect(2)).
  return result.error() == EINTR ? IoResult::failure(EINPROGRESS) : result;
}

}  // namespace

ConnectResult open_connection(const SocketAddress& server,
                              const std::optional<SocketAddress>& source,
                              const ReceiveBuffering& buffering) noexcept {
  const int family = server.is_v6() ? AF_INET6 : AF_INET;
  ConnectResult opened;
  opened.fd = UniqueFd::adopt(
      calls::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!opened.fd.is_open()) {
    opened.error = errno;
    return opened;
  }
  IoResult result = set_option(opened.fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (result.ok()) {
    result = set_option(opened.fd.get(), SOL_SOCKET, SO_OOBINLINE, 1);
  }
  if (result.ok()) {
    result = set_receive_buffering(opened.fd.get(), buffering);
  }
  if (result.ok() && source) {
    result = bind_to(opened.fd.get(), *source);
  }
  if (result.ok()) {
    result = connect_to(opened.fd.get(), server);
  }
  opened.error = result.error();
  if (opened.error != 0 && opened.error != EINPROGRESS) {
    opened.fd.reset();
  }
  return opened;
}

int bind_error(const SocketAddress& source) noexcept {
  const int family = source.is_v6() ? AF_INET6 : AF_INET;
  const UniqueFd fd = UniqueFd::adopt(calls::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd.is_open() ? bind_to(fd.get(), source).error() : errno;
}

bool is_self_connected(int fd) noexcept {
  sockaddr_storage local{};
  sockaddr_storage peer{};
  socklen_t local_length = sizeof local;
  socklen_t peer_length = sizeof peer;
  return calls::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_length) == 0 &&
         calls::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) == 0 &&
         SocketAddress::from(local) == SocketAddress::from(peer);
}

int connect_error(int fd) noexcept {
  if (const int error = take_error(fd); error != 0) {
    return error;
  }
  if (!is_self_connected(fd)) {
    return 0;
  }
  reset_on_close(fd);  // A FIN would leave the port in TIME_WAIT, where no server can bind it.
  return kConnectedToItself;
}

std::string connect_error_text(int error) {
  return error == kConnectedToItself ? "connected to itself, because no server listens there"
                                     : std::system_category().message(error);
}

ConnectResult connect_within(const SocketAddress& server,
                             const std::optional<SocketAddress>& source, Duration timeout,
                             const ReceiveBuffering& buffering) noexcept {
  ConnectResult opened = open_connection(server, source, buffering);
  const bool is_begun = opened.error == 0 || opened.error == EINPROGRESS;
  if (is_begun) {
    const bool is_finished =
        wait_ready(opened.fd.get(), POLLOUT, MonotonicClock::now() + timeout) != 0;
    opened.error = is_finished ? connect_error(opened.fd.get()) : ETIMEDOUT;
  }
  if (opened.error != 0) {
    opened.fd.reset();
  }
  return opened;
}

StampedRead receive_stamped(int fd, std::span<std::byte> into, ArrivalClock& clock) noexcept {
  const SocketRead timed = receive_with_time(fd, into);
  const TimePoint now = MonotonicClock::now();
  return {.result = timed.result,
          .arrived = timed.arrived ? clock.arrival(*timed.arrived, now) : now,
          .read = now,
          .segment_bytes = timed.segment_bytes};
}

std::optional<TcpFigures> tcp_figures(int fd) noexcept {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (calls::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
    return std::nullopt;
  }
  return TcpFigures{.retransmissions = info.tcpi_total_retrans,
                    .round_trip = std::chrono::microseconds(info.tcpi_rtt)};
}

IoResult send_more(int fd, std::span<const std::byte> bytes) noexcept {
  return retry_on_eintr(
      [&] { return calls::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_MORE); });
}

}  // namespace echod::sys
