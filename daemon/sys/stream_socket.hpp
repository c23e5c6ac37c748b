// What is done to a connected, non-blocking TCP socket. All functions borrow the descriptor, never
// block, never raise SIGPIPE and restart when a signal interrupts them.
// Thread-safety: that of the system calls.
#pragma once

#include <cstddef>
#include <span>

#include "sys/io_result.hpp"

namespace echod::sys {

// Reads what has arrived. A count of 0 is the peer's FIN. With SO_OOBINLINE a read stops short at
// an urgent mark (tcp(7)), so a short read then says nothing about what follows.
IoResult receive(int fd, std::span<std::byte> into) noexcept;
// As `receive`, but the bytes stay in the receive queue.
IoResult peek(int fd, std::span<std::byte> into) noexcept;
// Removes up to `bytes` from the receive queue without copying them (MSG_TRUNC, tcp(7)).
IoResult discard(int fd, std::size_t bytes) noexcept;
// Hands bytes to the kernel. A count below the size, like EAGAIN, means that its buffer is full.
IoResult send(int fd, std::span<const std::byte> bytes) noexcept;
// Sends our FIN once everything handed over before it has gone.
IoResult shut_write(int fd) noexcept;

// Makes close(2) send RST at once, whatever is queued (SO_LINGER with a time of 0, socket(7)).
void reset_on_close(int fd) noexcept;

// Bytes in the receive queue (SIOCINQ).
IoResult unread_bytes(int fd) noexcept;
// Bytes that the peer has not acknowledged, our FIN counted as one (SIOCOUTQ).
IoResult unacknowledged_bytes(int fd) noexcept;
// Takes the pending error (SO_ERROR), 0 if there is none.
[[nodiscard]] int take_error(int fd) noexcept;

}  // namespace echod::sys
