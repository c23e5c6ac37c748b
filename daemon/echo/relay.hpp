// Moves bytes from the receive queue of a socket to its send queue: one round is what a connection
// does between two looks at its budget. Here alone it is decided in which way:
//
//   way       when                                    calls
//   --------  --------------------------------------  -------------------------------------------
//   copy      usually                                 recv into a block, send from it
//   splice    the queue holds much (see below)        splice into a pipe, splice out of it
//   in place  there is no block: buffers.total_mib    recv(MSG_PEEK), send, recv(MSG_TRUNC): what
//             is spent                                is not sent stays in the receive queue
//
// Splicing pays for much at once. So a connection of which `least_bytes` were read in one round is
// asked, before each round, how many wait; if they are as many again, the round splices. It stops
// to be asked when `patience` rounds in a row moved less. If a splice brings less than
// `least_bytes` though more waited, the pieces are mostly small: a pipe has a slot for each, and
// few. Then the bytes are read back out of the pipe and sent, and the next
// `copies_after_small_pieces` rounds that would splice copy.
//
// Splicing pins pages. A spliced byte that the peer has not acknowledged may keep a whole page of
// 32 KiB, which TCP does not count. Each round moves at least `least_bytes` in at most 64 slots, so
// what is unacknowledged pins at most 64 pages for each `least_bytes`, and 64 for a round of which
// a part is acknowledged. A relay counts that for all of its connections, and copies rounds that
// would take a connection over `unacknowledged_bytes`, or all of them over `pins` such units of
// 64 pages.
//
// Thread-safety: none; one relay a worker. Never blocks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "buffer_pool.hpp"
#include "clock.hpp"
#include "counters.hpp"
#include "echo_settings.hpp"
#include "io_result.hpp"
#include "pipe_pool.hpp"
#include "reply.hpp"

namespace echod {

// What happened in a round.
struct Round {
  // What the read gave: 0 is the peer's FIN. In these cases nothing else happened.
  sys::IoResult received;
  std::size_t taken = 0;   // Bytes that left the receive queue, or, with `error`, were to leave it.
  std::size_t sent = 0;    // Of those, bytes that the kernel took to be sent.
  int error = 0;           // Of sending them; 0: none.
  bool was_short = false;  // The read gave less than it asked for.
  bool is_blocked = false;   // The send buffer is full.
  ReplyPtr reply = nullptr;  // What was taken and not sent. Null if that is still in the queue.
};

// What the relay keeps of one connection. Three bytes, for which a connection has just room.
struct BulkState {
  static constexpr std::uint8_t kMostPatience = 127;

  std::uint8_t pins = 0;          // Its part of Relay::pins_.
  std::uint8_t copies_left = 0;   // Rounds that copy though much waits.
  std::uint8_t patience : 7 = 0;  // Rounds for which it is still asked how much waits.
  bool is_spliced : 1 = false;    // It splices: no round has copied what was read since it did.
};

class Relay {
 public:
  // Bytes looked at in one go when there is no block to read into.
  static constexpr std::size_t kPeekBytes = std::size_t{16} * 1024;

  explicit Relay(Counters& counters) noexcept;

  void apply(const EchoSettings& settings) noexcept;

  // One round of at most `most` bytes. `may_splice`: no urgent mark or FIN is known of, which
  // splice(2) mistakes for the end of what is there. `now` is the loop's.
  [[nodiscard]] Round round(int socket, std::size_t most, bool may_splice, BulkState& bulk,
                            sys::TimePoint now) noexcept;

  // Counts anew what the connection pins, of which `held` bytes are in a reply.
  void count_pins(int socket, std::size_t held, BulkState& bulk) noexcept;
  // Its bytes are gone.
  void forget(BulkState& bulk) noexcept { set_pins(bulk, 0); }

  // Bytes in blocks that connections have. Any thread.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept { return blocks_.bytes_taken(); }

 private:
  [[nodiscard]] Round copy(int socket, Block& block, std::size_t most, BulkState& bulk) noexcept;
  [[nodiscard]] Round splice(int socket, std::size_t most, Block& block, PooledPipe& pipe,
                             BulkState& bulk) noexcept;
  [[nodiscard]] Round in_place(int socket, std::size_t most) noexcept;
  [[nodiscard]] Round send_back(int socket, Block& block, std::size_t bytes) noexcept;
  [[nodiscard]] PooledPipe* pipe_for(int socket, const Block& block, std::size_t most,
                                     BulkState& bulk, sys::TimePoint now) noexcept;
  [[nodiscard]] bool may_pin(int socket, BulkState& bulk) noexcept;
  void set_pins(BulkState& bulk, std::size_t pins) noexcept;

  Counters& counters_;
  SpliceSettings settings_;
  BufferPool blocks_{0, 0};
  PipePool pipes_{counters_};
  std::size_t pins_ = 0;  // In units of 64 pages: see above.
  std::array<std::byte, kPeekBytes> peek_room_;
};

}  // namespace echod
