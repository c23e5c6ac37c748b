// Operations on a connected, non-blocking stream socket: TCP or UNIX.
//
// The functions borrow the descriptor. Thread-safety: that of the system calls. Never blocks, never
// raises SIGPIPE, retries after EINTR.
#pragma once

#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>

#include "sys/clock.hpp"
#include "sys/io_result.hpp"

namespace echod::sys {

// Reads bytes from the receive queue. A count of 0 is the peer's FIN. With SO_OOBINLINE a read
// stops at an urgent mark (tcp(7)), so a short read does not mean that the queue is empty.
IoResult receive(int fd, std::span<std::byte> into) noexcept;
// Like receive(), but the bytes stay in the receive queue.
IoResult peek(int fd, std::span<std::byte> into) noexcept;
// Removes up to `scratch.size()` bytes from the receive queue. TCP does not copy them (MSG_TRUNC,
// tcp(7)), a UNIX socket copies them into `scratch`.
IoResult discard(int fd, std::span<std::byte> scratch) noexcept;

// Makes the kernel note when bytes arrive (SO_TIMESTAMPNS, socket(7)), for receive_with_time() and
// peek_with_time(). A connection inherits it from its listener. If the kernel does not support it,
// nothing changes.
void stamp_arrivals(int fd) noexcept;

struct SocketRead {
  IoResult result = IoResult::failure(EAGAIN);
  // When the newest of the bytes arrived. Nothing without bytes, or if the kernel noted no time.
  std::optional<WallTime> arrived = std::nullopt;
  // On a UDP socket with UDP_GRO (udp(7)): the bytes are a train of datagrams of this size, of
  // which the last may be shorter. 0: they are a single datagram.
  std::size_t segment_bytes = 0;
  // On a UNIX socket: the peer passed descriptors with the last of the bytes, or SO_PASSCRED is
  // set. A read stops there, so more bytes may wait although it was short.
  bool had_control_data = false;
};

// Like receive() and peek(), with the time. The kernel merges segments in the receive queue, and
// keeps the time of the last one: if a read takes only a part of such a segment, the time may be
// that of later bytes. Not for UNIX sockets: a peer could put descriptors into the process that
// way.
[[nodiscard]] SocketRead receive_with_time(int fd, std::span<std::byte> into) noexcept;
[[nodiscard]] SocketRead peek_with_time(int fd, std::span<std::byte> into) noexcept;
// Like receive() and peek(), from a UNIX socket. The kernel closes descriptors that the peer passes
// (SCM_RIGHTS, unix(7)), and reports that it did (MSG_CTRUNC, recvmsg(2)).
[[nodiscard]] SocketRead receive_local(int fd, std::span<std::byte> into) noexcept;
[[nodiscard]] SocketRead peek_local(int fd, std::span<std::byte> into) noexcept;

// Sends bytes. A count below the size, or EAGAIN, means that the send queue is full.
IoResult send(int fd, std::span<const std::byte> bytes) noexcept;
// Sends the FIN after all bytes of the send queue (SHUT_WR, shutdown(2)).
IoResult shut_write(int fd) noexcept;

// Makes close(2) send RST and discard the send queue (SO_LINGER with a time of 0,
// socket(7)). No effect on a UNIX socket.
void reset_on_close(int fd) noexcept;

// The number of bytes in the receive queue (SIOCINQ).
IoResult unread_bytes(int fd) noexcept;
// The number of bytes that the peer has not acknowledged; the FIN counts as one (SIOCOUTQ). If the
// socket is a UNIX socket: the memory that holds what the peer has not read. It is not a number of
// bytes; 0 means that the peer has read all.
IoResult unacknowledged_bytes(int fd) noexcept;
// Returns and clears the pending error of the socket (SO_ERROR); 0 if there is none.
[[nodiscard]] int take_error(int fd) noexcept;

}  // namespace echod::sys
