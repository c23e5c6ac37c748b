#include "sys/listen_socket.hpp"

#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include <array>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "sys/socket_setup.hpp"
#include "sys/stream_socket.hpp"

namespace echod::sys {

namespace {

UniqueFd open_bound(const SocketAddress& address, bool v6only) {
  const int family = address.is_v6() ? AF_INET6 : AF_INET;
  UniqueFd fd = UniqueFd::adopt(
      calls::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  require(fd.get(), "socket");
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  set_option(fd.get(), SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE");
  stamp_arrivals(fd.get());
  if (address.is_v6()) {
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, v6only ? 1 : 0, "IPV6_V6ONLY");
  }
  bind_to(fd.get(), address);
  return fd;
}

ListenSocket open_bound_or_fall_back(const SocketAddress& address, bool v6only) {
  ListenSocket listener;
  try {
    listener.fd = open_bound(address, v6only);
  } catch (const std::system_error& error) {
    if (!serves_both(address, v6only) || !is_v6_missing(error.code().value())) {
      throw;
    }
    listener.fd = open_bound(SocketAddress::any_v4(address.port()), false);
    listener.fell_back_to_v4 = true;
  }
  return listener;
}

bool is_listener(int fd) {
  try {
    return int_option(fd, SOL_SOCKET, SO_ACCEPTCONN, "SO_ACCEPTCONN") == 1;
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOTSOCK) {
      return false;
    }
    throw;
  }
}

// Empty if the UNIX socket has an abstract name.
std::string bound_path(int fd) {
  sockaddr_un address{};
  socklen_t length = sizeof address;
  require(calls::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  const std::string_view bytes(std::begin(address.sun_path), sizeof address.sun_path);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

// If the kernel does not tell, the process and the user are 0.
SocketAddress connected_process(int fd) noexcept {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  (void)calls::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
  return SocketAddress::of_process(credentials.pid, credentials.uid);
}

}  // namespace

void require_bindable(const SocketAddress& address, bool v6only) {
  (void)open_bound_or_fall_back(address, v6only);
}

ListenSocket open_listener(const SocketAddress& address, int backlog, bool v6only,
                           const SocketOptions& options) {
  ListenSocket listener = open_bound_or_fall_back(address, v6only);
  set_tcp_options(listener.fd.get(), options);
  set_backlog(listener.fd.get(), backlog);
  listener.backlog = backlog;
  listener.address = bound_address(listener.fd.get());
  listener.name = listener.address.text();
  return listener;
}

std::optional<Binding> binding_of(int fd) {
  if (!is_listener(fd)) {
    return std::nullopt;
  }
  // The family of the socket: bound_address() makes an IPv4-mapped address an IPv4 address.
  const int family = int_option(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN");
  if (family == AF_UNIX && int_option(fd, SOL_SOCKET, SO_TYPE, "SO_TYPE") == SOCK_STREAM) {
    std::string path = bound_path(fd);
    return path.empty() ? std::nullopt
                        : std::optional(Binding{.address = {}, .path = std::move(path)});
  }
  if (int_option(fd, SOL_SOCKET, SO_PROTOCOL, "SO_PROTOCOL") != IPPROTO_TCP) {
    return std::nullopt;
  }
  const bool is_v6 = family == AF_INET6;
  return Binding{.address = bound_address(fd),
                 .v6only = is_v6 && int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY") == 1};
}

ListenSocket adopt_listener(UniqueFd fd, int backlog, const SocketOptions& options) {
  ListenSocket listener;
  listener.fd = std::move(fd);
  listener.is_passed = true;
  int on = 1;
  require(calls::ioctl(listener.fd.get(), FIONBIO, &on), "FIONBIO");
  set_option(listener.fd.get(), SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE");
  stamp_arrivals(listener.fd.get());
  set_tcp_options(listener.fd.get(), options);
  set_backlog(listener.fd.get(), backlog);
  listener.backlog = backlog;
  listener.address = bound_address(listener.fd.get());
  listener.name = listener.address.text();
  listener.dropped_before = accept_queue(listener.fd.get()).dropped;
  return listener;
}

ListenSocket adopt_local_listener(UniqueFd fd, std::string path, int backlog) {
  int on = 1;
  require(calls::ioctl(fd.get(), FIONBIO, &on), "FIONBIO");
  set_backlog(fd.get(), backlog);
  ListenSocket listener;
  listener.fd = std::move(fd);
  listener.name = "unix:" + path;
  listener.path = std::move(path);
  listener.backlog = backlog;
  listener.is_passed = true;
  return listener;
}

void set_tcp_options(int fd, const SocketOptions& options) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, options.no_delay ? 1 : 0, "TCP_NODELAY");
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, options.keepalive ? 1 : 0, "SO_KEEPALIVE");
  if (options.keepalive_idle.count() > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options.keepalive_idle.count()),
               "TCP_KEEPIDLE");
  }
  if (options.keepalive_interval.count() > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(options.keepalive_interval.count()),
               "TCP_KEEPINTVL");
  }
  if (options.keepalive_probes > 0) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_probes, "TCP_KEEPCNT");
  }
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout.count()),
             "TCP_USER_TIMEOUT");
  if (options.receive_buffer_kib > 0) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, static_cast<int>(options.receive_buffer_kib * 1024),
               "SO_RCVBUF");
  }
  if (options.send_buffer_kib > 0) {
    set_option(fd, SOL_SOCKET, SO_SNDBUF, static_cast<int>(options.send_buffer_kib * 1024),
               "SO_SNDBUF");
  }
}

// A new socket tells the defaults. SO_BUF_LOCK ends the fixed size of a buffer (socket(7)).
void replace_tcp_options(int fd, const SocketOptions& options) {
  const UniqueFd fresh = UniqueFd::adopt(
      calls::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  require(fresh.get(), "socket");
  const auto copy = [&](int option, const char* name) {
    set_option(fd, IPPROTO_TCP, option, int_option(fresh.get(), IPPROTO_TCP, option, name), name);
  };
  if (options.keepalive_idle.count() == 0) {
    copy(TCP_KEEPIDLE, "TCP_KEEPIDLE");
  }
  if (options.keepalive_interval.count() == 0) {
    copy(TCP_KEEPINTVL, "TCP_KEEPINTVL");
  }
  if (options.keepalive_probes == 0) {
    copy(TCP_KEEPCNT, "TCP_KEEPCNT");
  }
  const auto free_buffer = [&](int option, const char* name) {
    // The kernel doubles the size that is set.
    set_option(fd, SOL_SOCKET, option, int_option(fresh.get(), SOL_SOCKET, option, name) / 2, name);
  };
  if (options.receive_buffer_kib == 0) {
    free_buffer(SO_RCVBUF, "SO_RCVBUF");
  }
  if (options.send_buffer_kib == 0) {
    free_buffer(SO_SNDBUF, "SO_SNDBUF");
  }
  set_option(fd, SOL_SOCKET, SO_BUF_LOCK, 0, "SO_BUF_LOCK");
  set_tcp_options(fd, options);
}

void set_backlog(int fd, int backlog) {
  require(calls::listen(fd, backlog), "listen");
}

Accepted accept(int listener) noexcept {
  sockaddr_storage storage{};
  Accepted accepted;
  do {
    socklen_t length = sizeof storage;
    accepted.fd = UniqueFd::adopt(calls::accept4(listener, reinterpret_cast<sockaddr*>(&storage),
                                                 &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    accepted.error = accepted.fd.is_open() ? 0 : errno;
  } while (accepted.error == EINTR);
  if (accepted.error == 0 && storage.ss_family == AF_UNIX) {
    accepted.peer = connected_process(accepted.fd.get());
    const int on = 1;
    (void)calls::setsockopt(accepted.fd.get(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
  } else if (accepted.error == 0) {
    accepted.peer = SocketAddress::from(storage);
  }
  return accepted;
}

bool has_client(int listener) noexcept {
  pollfd queue{.fd = listener, .events = POLLIN, .revents = 0};
  return calls::poll(&queue, 1, 0) > 0;
}

// The kernel puts the length of the queue of a listening socket into tcpi_unacked, and the backlog
// in force into tcpi_sacked.
AcceptQueue accept_queue(int fd) noexcept {
  tcp_info info{};
  socklen_t length = sizeof info;
  (void)calls::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);  // Else all is 0.
  std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
  length = sizeof memory;
  (void)calls::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &length);
  return {
      .waiting = info.tcpi_unacked, .limit = info.tcpi_sacked, .dropped = memory[SK_MEMINFO_DROPS]};
}

}  // namespace echod::sys
