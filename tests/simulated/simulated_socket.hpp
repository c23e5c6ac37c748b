// A simulated TCP or UNIX socket of the daemon, with the client at the other end. Its results
// follow net/ipv4/tcp.c: tcp_poll(), tcp_recvmsg(), tcp_sendmsg(), tcp_reset(), inet_shutdown();
// and net/unix/af_unix.c. Every second byte that comes over a UNIX socket has a descriptor,
// at which a read stops. A reset there is a close(2) with unread bytes.
// tests/unit/support/simulated_kernel_test.cpp checks behaviour that was measured on a real kernel.
//
// Bytes are counted, not stored: byte n of a connection is byte_at(n). So an echo is right if and
// only if each byte that is sent is the next one.
//
//   sent by the client  >=  read by the daemon  (between them: the receive queue)
//   written by the daemon  >=  taken by the client  (between them: the send queue)
//
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "fingerprint.hpp"

namespace echod::test {

// The events that a socket wakes epoll with: EPOLL* bits, or all bits when its state changed.
inline constexpr std::uint32_t kNothing = 0;
inline constexpr std::uint32_t kEverything = UINT32_MAX;

struct SocketLimits {
  std::uint32_t receive_bytes = 2;  // The size of the receive queue.
  std::uint32_t send_bytes = 2;     // The size of the send queue.
  std::size_t pipe_slots = 2;       // The number of pieces that a pipe holds.
  std::size_t full_pipes = 9;       // Another pipe is smaller than the daemon asks for.
  std::size_t most_pipes = 9;       // Another pipe cannot be opened.
  bool is_local = false;            // UNIX sockets instead of TCP.
};

class SimulatedSocket {
 public:
  explicit SimulatedSocket(const SocketLimits& limits) noexcept : limits_(limits) {}

  // Acts of the client. Each needs its can_...() to be true, and returns the events for epoll.
  [[nodiscard]] bool can_send() const noexcept;
  [[nodiscard]] bool can_finish() const noexcept { return !has_fin_ && !is_reset_; }
  [[nodiscard]] bool can_reset() const noexcept { return !is_reset_ && !is_over_both_ways(); }
  // Whether there is a byte to take, or the FIN after the last byte.
  [[nodiscard]] bool can_take() const noexcept;
  std::uint32_t client_sends(bool is_urgent) noexcept;
  std::uint32_t client_finishes() noexcept;
  std::uint32_t client_resets() noexcept;
  std::uint32_t client_takes() noexcept;

  // Calls of the daemon. A negative result is a negative errno.
  std::int64_t receive(std::span<std::byte> into, bool is_peek) noexcept;
  // Whether the last receive() stopped at a descriptor.
  [[nodiscard]] bool stopped_at_descriptor() const noexcept { return stopped_at_descriptor_; }
  // With TCP nothing is written to `scratch`.
  std::int64_t discard(std::span<std::byte> scratch) noexcept;
  // splice(2) into a pipe. At an urgent mark it behaves as if the queue were empty.
  std::int64_t splice(std::size_t most) noexcept;
  // Takes at most `most` of the bytes, as if memory were short although the queue is not full.
  std::int64_t send(std::size_t bytes, std::size_t most) noexcept;
  std::int64_t shut_write(std::uint32_t& wakes) noexcept;
  int take_error() noexcept;
  // Returns all pending events. As in the kernel, if the socket is not writable, it notes that the
  // daemon waits for space.
  std::uint32_t poll() noexcept;

  [[nodiscard]] static std::byte byte_at(std::uint64_t position) noexcept {
    return static_cast<std::byte>(position % 251);  // A prime: no size of a buffer divides it.
  }
  [[nodiscard]] std::uint32_t unread() const noexcept {
    return static_cast<std::uint32_t>(sent_ - read_);
  }
  [[nodiscard]] std::uint32_t untaken() const noexcept {
    return static_cast<std::uint32_t>(written_ - taken_);
  }
  // The FIN counts as one byte.
  [[nodiscard]] std::uint32_t unacknowledged() const noexcept {
    return untaken() + (is_shut_ && !is_fin_taken_ ? 1 : 0);
  }
  // SIOCOUTQ. For a UNIX socket it counts memory.
  [[nodiscard]] std::uint32_t send_queue() const noexcept {
    constexpr std::uint32_t kMemoryOfAByte = 768;
    return limits_.is_local ? kMemoryOfAByte * untaken() : unacknowledged();
  }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t read() const noexcept { return read_; }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] bool has_fin() const noexcept { return has_fin_; }
  [[nodiscard]] bool is_shut() const noexcept { return is_shut_; }
  [[nodiscard]] bool is_reset() const noexcept { return is_reset_; }

  void describe(Fingerprint& into) const noexcept;

 private:
  [[nodiscard]] bool is_over_both_ways() const noexcept { return has_fin_ && is_fin_taken_; }
  [[nodiscard]] bool is_writable() const noexcept;
  // The result of a read from an empty queue.
  [[nodiscard]] std::int64_t nothing_to_read() noexcept;
  // The result of a read of at most `most` bytes.
  [[nodiscard]] std::int64_t readable(std::size_t most) noexcept;
  [[nodiscard]] bool has_descriptor(std::uint64_t position) const noexcept {
    return limits_.is_local && position % 2 == 1;
  }
  void read_past(std::int64_t bytes) noexcept;
  std::int64_t remove(std::size_t most) noexcept;

  SocketLimits limits_;
  std::uint64_t sent_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t taken_ = 0;
  std::optional<std::uint64_t> mark_;  // The urgent byte, until it is read.
  int error_ = 0;                      // sk_err.
  bool has_fin_ = false;               // The client's FIN arrived.
  bool is_shut_ = false;               // The daemon called shutdown(SHUT_WR).
  bool is_fin_taken_ = false;          // The client acknowledged the daemon's FIN.
  bool is_reset_ = false;
  bool stopped_at_descriptor_ = false;
  bool wants_room_ = false;  // SOCK_NOSPACE: free space raises EPOLLOUT.
};

}  // namespace echod::test
