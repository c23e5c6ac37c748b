// System calls for client TCP connections.
// Thread-safety: stateless functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "client/sys/arrival_clock.hpp"
#include "config/net/socket_address.hpp"
#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

struct ConnectResult {
  // Non-blocking, close-on-exec, TCP_NODELAY, SO_OOBINLINE. Open only if `error` is 0 or
  // EINPROGRESS.
  UniqueFd fd;
  // 0: connected. EINPROGRESS: not yet known; the socket becomes writable when connect_error() has
  // the result. Other values: the reason for the failure.
  int error = 0;
};

// Used instead of an errno: the socket connected to itself. This happens if no server listens on
// the port and connect(2) chooses the same port as the local port.
inline constexpr int kConnectedToItself = -1;

// Limits how many bytes the kernels buffer on the way from the server while the client does not
// read. A value of 0 keeps the kernel's default (megabytes).
struct ReceiveBuffering {
  int buffer_bytes = 0;   // SO_RCVBUF; the kernel doubles it.
  int segment_bytes = 0;  // TCP_MAXSEG; the server's send buffer depends on it.
};

// Starts to connect to `server`, from `source` if given. If the port of `source` is 0, connect(2)
// chooses it, so that connections to different servers can share a port (IP_BIND_ADDRESS_NO_PORT,
// ip(7)).
[[nodiscard]] ConnectResult open_connection(const SocketAddress& server,
                                            const std::optional<SocketAddress>& source,
                                            const ReceiveBuffering& buffering = {}) noexcept;

// Returns 0 if connections can be made from `source`, otherwise the errno of bind(2).
[[nodiscard]] int bind_error(const SocketAddress& source) noexcept;

// Whether the socket is connected to itself, which means its local and peer addresses are equal.
// Such a connection returns every byte without any server.
[[nodiscard]] bool is_self_connected(int fd) noexcept;

// The result of a connect that has completed: 0, an errno or kConnectedToItself. A socket connected
// to itself is set to reset on close, so that its port is free at once.
[[nodiscard]] int connect_error(int fd) noexcept;

// The text for a ConnectResult::error.
[[nodiscard]] std::string connect_error_text(int error);

// Like open_connection(), but blocks until the connect has completed, for at most `timeout`.
// `error` is 0, ETIMEDOUT, or an error of open_connection() or connect_error().
[[nodiscard]] ConnectResult connect_within(const SocketAddress& server,
                                           const std::optional<SocketAddress>& source,
                                           Duration timeout,
                                           const ReceiveBuffering& buffering = {}) noexcept;

struct StampedRead {
  IoResult result = IoResult::failure(EAGAIN);
  // When the newest of these bytes arrived, and when they were read. Equal if the kernel gave no
  // time stamp.
  TimePoint arrived;
  TimePoint read;
  std::size_t segment_bytes = 0;  // As in SocketRead.
};

// Like receive_with_time(), on the monotonic clock. `clock` converts the time stamp.
[[nodiscard]] StampedRead receive_stamped(int fd, std::span<std::byte> into,
                                          ArrivalClock& clock) noexcept;

// TCP statistics of a connection (TCP_INFO, tcp(7)).
struct TcpFigures {
  std::uint32_t retransmissions = 0;  // Segments sent again.
  Duration round_trip{0};             // Smoothed; 0 if not measured.
};

// Empty if the kernel does not support it.
[[nodiscard]] std::optional<TcpFigures> tcp_figures(int fd) noexcept;

// Like send(), but an incomplete last segment waits for more data or the FIN (MSG_MORE, send(2)).
IoResult send_more(int fd, std::span<const std::byte> bytes) noexcept;

}  // namespace echod::sys
