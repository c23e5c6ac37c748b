// A TCP connection from the client's side.
// Thread-safety: free of shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "clock.hpp"
#include "io_result.hpp"
#include "socket_address.hpp"
#include "unique_fd.hpp"

namespace echod::sys {

struct ConnectResult {
  UniqueFd fd;    // Non-blocking, close-on-exec, TCP_NODELAY, SO_OOBINLINE; open exactly if `error`
                  // allows it.
  int error = 0;  // 0: connected; EINPROGRESS: writable once it is decided; else why there is none.
};

// In place of an errno: the connection was to the socket itself. That happens where nothing listens
// on a port and connect(2) chooses that same port as the local one.
inline constexpr int kConnectedToItself = -1;

// How much the kernels on the way hold of what the server sends while the client does not read. A 0
// leaves the kernel's own default, some megabytes.
struct ReceiveBuffering {
  int buffer_bytes = 0;   // SO_RCVBUF; the kernel doubles it.
  int segment_bytes = 0;  // TCP_MAXSEG, on which the size of the server's send buffer depends.
};

// Starts connecting to `server`, from `source` if given; its port 0 leaves the choice of a port to
// connect(2), so that one port can serve towards several servers (IP_BIND_ADDRESS_NO_PORT, ip(7)).
[[nodiscard]] ConnectResult open_connection(const SocketAddress& server,
                                            const std::optional<SocketAddress>& source,
                                            const ReceiveBuffering& path = {}) noexcept;

// Why connections cannot be made from `source` (errno of bind(2)); 0 if they can.
[[nodiscard]] int bind_error(const SocketAddress& source) noexcept;

// Whether both ends of a connection are this one socket: its local address is that of its peer.
// Whatever is sent on it comes back, and no server has seen it.
[[nodiscard]] bool is_self_connected(int fd) noexcept;

// Why the connection that was begun on `fd` failed, once it is decided: an errno or
// kConnectedToItself; 0 if it is there. One to itself becomes a reset at close, which frees the
// port at once.
[[nodiscard]] int connect_error(int fd) noexcept;

// The text of an ConnectResult::error.
[[nodiscard]] std::string connect_error_text(int error);

// As open_connection, but waits until it is decided, for at most `timeout`: `error` is 0, ETIMEDOUT
// or as that of connect_error.
[[nodiscard]] ConnectResult connect_within(const SocketAddress& server,
                                           const std::optional<SocketAddress>& source,
                                           Duration timeout,
                                           const ReceiveBuffering& path = {}) noexcept;

// From now on the kernel notes when bytes arrive (SO_TIMESTAMPNS, socket(7)), for
// receive_stamped(). No-op where it cannot.
void stamp_arrivals(int fd) noexcept;

struct StampedRead {
  IoResult result = IoResult::failure(EAGAIN);
  // When the newest of the bytes that were read arrived, and when they were read. The same where
  // the kernel has no time stamp.
  TimePoint arrived;
  TimePoint read;
};

// As `receive`, with the times. Bytes that an earlier call left behind count as newly arrived when
// the kernel says so: segments that it merged have the time of the last one.
[[nodiscard]] StampedRead receive_stamped(int fd, std::span<std::byte> into) noexcept;

// What the kernel knows of a connection's path (TCP_INFO, tcp(7)).
struct TcpFigures {
  std::uint32_t retransmissions = 0;  // Segments that were sent again.
  Duration round_trip{0};             // Smoothed; 0: none was measured.
};

// Nothing where the kernel does not say.
[[nodiscard]] std::optional<TcpFigures> tcp_figures(int fd) noexcept;

// As `send`, but a last segment that is not full waits for what follows (MSG_MORE, send(2)), so
// that a FIN travels with the data.
IoResult send_more(int fd, std::span<const std::byte> bytes) noexcept;

}  // namespace echod::sys
