// Moves bytes from the receive queue of a socket to its send queue. A round is one read and the
// sends that follow it. The relay decides in each round how the bytes are moved:
//
//   way       used when                               system calls
//   --------  --------------------------------------  -------------------------------------------
//   copy      usually                                 recv into a block, send from it
//   splice    the queue holds much, and               splice into a pipe, splice out of it
//             buffers.splice is on
//   in place  there is no block: buffers.total_mib    recv(MSG_PEEK), send, recv(MSG_TRUNC);
//             is reached, or there is no memory       unsent bytes stay in the receive queue
//
// When to splice. Splicing is cheaper only for many bytes in one call. After a round that read at
// least `least_bytes`, the relay asks before each round of the connection how many bytes wait. It
// splices if at least `least_bytes` wait. After `patience` smaller rounds in a row it stops asking.
// A pipe has a limited number of slots, one for each piece of memory. If a splice moves less than
// `least_bytes` although more waited, the pieces are small. Then the bytes are read back out of the
// pipe and sent. After that, or after a splice that the kernel refused, the next
// `copies_after_small_pieces` rounds copy. A round also copies if spliced bytes pin too much memory
// (pinned_rounds.hpp), or if there is no pipe (pipe_pool.hpp).
//
// Delay. The relay measures the server's own share of a round trip: the time from the arrival of
// the newest byte of a round in the kernel (SO_TIMESTAMPNS) until the kernel has accepted all bytes
// of the round for sending. It times one read in `reads_per_sample`; the other reads cost nothing.
// The kernel's times are those of the wall clock. These rounds have no sample:
//   - Rounds that do not fit into the send buffer, and rounds with bytes that may have arrived
//     while the connection waited to send: the peer caused that delay.
//   - Spliced rounds: splice(2) gives no time.
//   - Rounds whose time is negative or longer than a minute, because the wall clock was set.
//   - Rounds of UNIX sockets: reading a time would also accept descriptors that the peer sends.
//
// On a UNIX socket, a read stops at a message that carries descriptors. So a UNIX socket is read by
// recvmsg(2), which reports such a message, and is not spliced.
//
// Thread-safety: one relay for each worker, used by its thread; any thread may call
// buffered_bytes(). Never blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "echo/buffer_pool.hpp"
#include "echo/echo_settings.hpp"
#include "echo/pinned_rounds.hpp"
#include "echo/pipe_pool.hpp"
#include "echo/read_sampling.hpp"
#include "echo/reply.hpp"
#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/stream_socket.hpp"
#include "telemetry/counters.hpp"
#include "telemetry/delay_histogram.hpp"

namespace echod {

// The result of a round.
struct Round {
  // Result of the read. After an error, or 0 for the peer's FIN, nothing else happened.
  sys::IoResult received;
  std::size_t taken = 0;     // Bytes removed from the queue; with `error`, those to be sent.
  std::size_t sent = 0;      // Bytes of `taken` that the kernel accepted for sending.
  int error = 0;             // errno of sending, or 0.
  bool was_short = false;    // The read returned less than it asked for. False if it stopped at
                             // descriptors that the peer of a UNIX socket passed.
  bool is_blocked = false;   // The send buffer is full.
  ReplyPtr reply = nullptr;  // The unsent bytes, if they are kept.
};

// What the relay remembers of one connection, in three bytes: a connection has no space for more.
struct RelayState {
  static constexpr std::uint8_t kMostPatience = 31;

  std::uint8_t pinned_rounds = 0;  // Its number in PinnedRounds.
  std::uint8_t copies_left = 0;    // Rounds that still copy instead of splicing.
  std::uint8_t patience : 5 = 0;   // How many more rounds begin by asking how many bytes wait.
  bool is_local : 1 = false;       // The connection is a UNIX socket. Set once.
  bool is_spliced : 1 = false;     // Set by a spliced round, cleared by a copied one.
  // Set when the send buffer is full, cleared by the next read that empties the receive queue. In
  // between a read may have bytes that arrived while the connection waited to send.
  bool was_blocked : 1 = false;
};

class Relay {
 public:
  // The most that a round moves in place.
  static constexpr std::size_t kPeekBytes = std::size_t{16} * 1024;

  // The references must outlive it.
  Relay(Counters& counters, DelayHistogram& server_delay, PinnedRounds& pinned) noexcept;

  void apply(const EchoSettings& settings) noexcept;

  // Makes a round of at most `most` bytes. `may_splice` must be false if an urgent mark or a FIN
  // may be in the queue, which splice(2) does not report as recv(2) does.
  // `now` is the loop's.
  [[nodiscard]] Round round(int socket, std::size_t most, bool may_splice, RelayState& state,
                            sys::TimePoint now) noexcept;

  // Whether a turn with this budget left should end: a connection that splices would have to copy
  // what fits into it.
  [[nodiscard]] bool ends_turn(std::uint64_t budget, const RelayState& state) const noexcept {
    return budget < (state.is_spliced ? settings_.least_bytes : 1);
  }

  // Removes at most kPeekBytes from the receive queue.
  [[nodiscard]] sys::IoResult discard(int socket) noexcept;

  // The reply of a parked connection; nullptr if it owes nothing. Takes over its pipe; `memory`
  // keeps its bytes. Returns std::nullopt if memory runs out.
  [[nodiscard]] std::optional<ReplyPtr> restore(const ParkedConnection& parked,
                                                std::shared_ptr<const void> memory) noexcept;

  // Bytes in blocks that connections hold. Any thread.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept { return blocks_.bytes_held(); }

 private:
  [[nodiscard]] Round move(int socket, std::size_t most, bool may_splice, RelayState& state,
                           sys::TimePoint now) noexcept;
  [[nodiscard]] Round copy(int socket, Block& block, std::size_t most, RelayState& state) noexcept;
  [[nodiscard]] Round splice(int socket, std::size_t most, Block& block, PooledPipe& pipe,
                             RelayState& state) noexcept;
  [[nodiscard]] Round in_place(int socket, std::size_t most, const RelayState& state) noexcept;
  [[nodiscard]] Round send_back(int socket, Block& block, std::size_t bytes) noexcept;
  [[nodiscard]] PooledPipe* pipe_for(int socket, const Block& block, std::size_t most,
                                     RelayState& state, sys::TimePoint now) noexcept;
  // Read from the queue. Also return the arrival time if this read is timed, and whether a UNIX
  // socket passed descriptors.
  [[nodiscard]] sys::SocketRead read_into(int socket, std::span<std::byte> into,
                                          const RelayState& state) noexcept;
  [[nodiscard]] sys::SocketRead peek_into(int socket, std::span<std::byte> into,
                                          const RelayState& state) noexcept;
  [[nodiscard]] int discard_all(int socket, std::size_t bytes) noexcept;
  // Counts the delay of a round whose read was timed.
  void count_delay(const sys::SocketRead& read, std::size_t sent, const RelayState& state) noexcept;

  Counters& counters_;
  DelayHistogram& server_delay_;
  PinnedRounds& pinned_;
  ReadSampling sampling_;
  SpliceSettings settings_;
  BufferPool blocks_{0, 0};
  PipePool pipes_{counters_};
  std::array<std::byte, kPeekBytes> peek_buffer_;  // Also for bytes that are discarded.
};

}  // namespace echod
