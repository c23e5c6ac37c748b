// One end of a TCP connection as Linux shows it to a program, with the client at the other end.
// What it reports and returns follows net/ipv4/tcp.c: tcp_poll(), tcp_recvmsg(), tcp_sendmsg(),
// tcp_reset(), inet_shutdown(); what of it was measured on a real kernel is checked in
// tests/unit/simulated_kernel_test.cpp.
//
// Bytes are counted, not kept: byte n of a connection is byte_at(n), so an echo is right exactly if
// each byte that is sent is the next one.
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

// What the kernel wakes epoll with: EPOLL* bits, or everything when the state changed.
inline constexpr std::uint32_t kNothing = 0;
inline constexpr std::uint32_t kEverything = UINT32_MAX;

struct SocketLimits {
  std::uint32_t receive_bytes = 2;  // The client sends no more until some are read.
  std::uint32_t send_bytes = 2;     // The daemon cannot send more until some are taken.
  std::size_t pipe_slots = 2;       // Pieces that a pipe holds.
};

class SimulatedSocket {
 public:
  explicit SimulatedSocket(const SocketLimits& limits) noexcept : limits_(limits) {}

  // The client. Each is allowed only if can_... says so, and returns what epoll is woken with.
  [[nodiscard]] bool can_send() const noexcept;
  [[nodiscard]] bool can_finish() const noexcept { return !has_fin_ && !is_reset_; }
  [[nodiscard]] bool can_reset() const noexcept { return !is_reset_ && !is_over_both_ways(); }
  // A byte, or the FIN behind the last.
  [[nodiscard]] bool can_take() const noexcept;
  std::uint32_t client_sends(bool is_urgent) noexcept;
  std::uint32_t client_finishes() noexcept;
  std::uint32_t client_resets() noexcept;
  std::uint32_t client_takes() noexcept;

  // The daemon. A negative result is an errno.
  std::int64_t receive(std::span<std::byte> into, bool is_peek) noexcept;
  std::int64_t discard(std::size_t bytes) noexcept;
  // splice(2) into a pipe. At an urgent mark it behaves as if the queue were empty.
  std::int64_t splice(std::size_t most) noexcept;
  // Takes at most `most` of the bytes: memory may be short though the queue is not full.
  std::int64_t send(std::size_t bytes, std::size_t most) noexcept;
  std::int64_t shut_write(std::uint32_t& wakes) noexcept;
  int take_error() noexcept;
  // What poll(2) would report of all events. Like the kernel's, it remembers that somebody waits
  // for room if there is none.
  std::uint32_t poll() noexcept;

  [[nodiscard]] static std::byte byte_at(std::uint64_t position) noexcept {
    return static_cast<std::byte>(position % 251);  // A prime: no buffer is a multiple of it.
  }
  [[nodiscard]] std::uint32_t unread() const noexcept {
    return static_cast<std::uint32_t>(sent_ - read_);
  }
  [[nodiscard]] std::uint32_t untaken() const noexcept {
    return static_cast<std::uint32_t>(written_ - taken_);
  }
  // SIOCOUTQ: the FIN counts as one.
  [[nodiscard]] std::uint32_t unacknowledged() const noexcept {
    return untaken() + (is_shut_ && !is_fin_taken_ ? 1 : 0);
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
  // What a read gives when there is nothing to read.
  [[nodiscard]] std::int64_t nothing_to_read() noexcept;
  // How many of `most` bytes a read gives.
  [[nodiscard]] std::int64_t readable(std::size_t most) noexcept;
  void read_past(std::int64_t bytes) noexcept;

  SocketLimits limits_;
  std::uint64_t sent_ = 0;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t taken_ = 0;
  std::optional<std::uint64_t> mark_;  // The urgent byte, until it is read.
  int error_ = 0;                      // sk_err.
  bool has_fin_ = false;               // The client's FIN arrived.
  bool is_shut_ = false;               // shutdown(SHUT_WR) was called,
  bool is_fin_taken_ = false;          // and its FIN acknowledged.
  bool is_reset_ = false;
  bool wants_room_ = false;  // SOCK_NOSPACE: room that comes raises EPOLLOUT.
};

}  // namespace echod::test
