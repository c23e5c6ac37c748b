// A listening TCP socket: opening one, and taking connections from it.
// Thread-safety: opening is free of shared state; `accept` may run in several threads at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "io_result.hpp"
#include "socket_address.hpp"
#include "unique_fd.hpp"

namespace echod::sys {

// Set on the listener; accepted connections inherit them, so that accepting costs one system call.
// A size or time of 0 leaves the kernel's own default.
struct TcpOptions {
  bool no_delay = true;                         // TCP_NODELAY: send without waiting for more.
  bool keepalive = true;                        // SO_KEEPALIVE: probe peers that fell silent.
  std::chrono::seconds keepalive_idle{60};      // TCP_KEEPIDLE: silence before the first probe.
  std::chrono::seconds keepalive_interval{10};  // TCP_KEEPINTVL: time between probes.
  int keepalive_probes = 6;                     // TCP_KEEPCNT: unanswered probes before giving up.
  // TCP_USER_TIMEOUT: unacknowledged data, or a peer that answers no probe, for so long. The kernel
  // then ignores keepalive_probes.
  std::chrono::milliseconds user_timeout{0};
  std::uint32_t receive_buffer_kib = 0;  // SO_RCVBUF; the kernel doubles it.
  std::uint32_t send_buffer_kib = 0;     // SO_SNDBUF; the kernel doubles it.

  bool operator==(const TcpOptions&) const noexcept = default;
};

struct ListenSocket {
  UniqueFd fd;
  SocketAddress address;         // As bound: with the real port when 0 was asked for.
  int backlog = 0;               // As asked for; the kernel may have cut it (granted_backlog()).
  bool fell_back_to_v4 = false;  // "::" was asked for, and the host has no IPv6.
  bool is_inherited = false;     // Somebody else has it open too.
};

// Binds and listens: non-blocking, SO_REUSEADDR, SO_OOBINLINE (an urgent byte is owed like any
// other). An IPv6 address that is not `v6only` serves IPv4 too; "::" falls back to 0.0.0.0 on a
// host without IPv6. Throws std::system_error that names the failed call.
[[nodiscard]] ListenSocket open_listener(const SocketAddress& address, int backlog, bool v6only,
                                         const TcpOptions& options);

// What a listening TCP socket that somebody else opened was bound to.
struct Binding {
  SocketAddress address;
  bool v6only = false;
};

// Nothing if `fd` is no TCP socket that listens. Throws std::system_error if it cannot be asked.
[[nodiscard]] std::optional<Binding> binding_of(int fd);

// Makes a socket that somebody else opened, and may hold open too, one as open_listener() returns.
// Throws std::system_error.
[[nodiscard]] ListenSocket adopt_listener(UniqueFd fd, int backlog, const TcpOptions& options);

// Sets `options` on a listener that is open already; connections accepted from now on have them.
// Throws std::system_error.
void set_tcp_options(int fd, const TcpOptions& options);

// Sets the length of the accept queue of a listener that is open already (listen(2) again).
// Throws std::system_error.
void set_backlog(int fd, int backlog);

struct Accepted {
  UniqueFd fd;  // Open exactly if `error` is 0; non-blocking, close-on-exec.
  SocketAddress peer;
  int error = 0;  // errno of accept4(2).
};

// Takes one connection from the queue; EAGAIN when it is empty, never EINTR.
[[nodiscard]] Accepted accept(int listener) noexcept;

// Whether a client waits in the queue. Another thread may take it before the caller does.
[[nodiscard]] bool has_client(int listener) noexcept;

// What listen(2) made of the backlog: it is cut to net.core.somaxconn of the socket's network
// namespace, which need not be ours. 0 if the kernel does not say (TCP_INFO).
[[nodiscard]] int granted_backlog(int fd) noexcept;

}  // namespace echod::sys
