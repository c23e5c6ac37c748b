// One TCP connection: every byte that comes in goes out, once, in order.
//
//   state       registered for  owes   a turn does              goes to
//   ----------  --------------  -----  -----------------------  ---------------------------------
//   echoing     IN PRI RDHUP    -      rounds (relay.hpp), to   flushing    the reply did not fit
//                                      EAGAIN or the budget     delivering  FIN read, tail unacked
//                                                               lingering   draining, all sent back
//   flushing    OUT             bytes  send, and read nothing   echoing     nothing is owed
//   delivering  IN PRI RDHUP    -      ask what was acked       closed      all of it
//   lingering   IN PRI RDHUP    -      read and discard         delivering  FIN read, tail unacked
//   closed      -               -      nothing                  destroyed after the iteration
//
// Any state goes to closed by an error of recv or send, a FIN with nothing left to deliver, a
// timeout or the drain deadline; the first reason is final. EPOLLHUP, EPOLLERR and EPOLLRDHUP only
// cause the next call.
//
// What is owed is in a reply (reply.hpp): a block of memory or a pipe. Flushing without a reply:
// the reply buffers are spent, and what did not fit is still in the receive queue. The turn that
// OUT brings has nothing to send and flips straight back to IN.
//
// Delivering exists because close(2) would leave the tail to an orphaned socket, which the kernel
// gives up on after a few minutes of a closed window, uncounted, and drops when it has too many
// (tcp_orphan_retries, tcp_max_orphans in tcp(7)).
//
// Progress is a byte that arrives, that is sent or that the peer acknowledges. Without progress a
// connection ends after the idle timeout, in every state. One that is owed bytes also ends after
// the timeout of a stalled write; while echoing those are the bytes that the peer has not
// acknowledged. A timeout that finds bytes owed resets the connection, so that no orphan keeps
// them.
//
// Lingering exists because close(2) while the peer still sends makes the kernel send a reset, which
// destroys what the peer has not read. So the linger time runs from the moment at which the peer
// has acknowledged everything; until then it is served like any slow reader: what it acknowledges
// is progress, and only these timeouts or the drain deadline end it.
//
// Thread-safety: belongs to its worker's thread. Never blocks.
#pragma once

#include <chrono>
#include <cstdint>

#include "channel.hpp"
#include "clock.hpp"
#include "counters.hpp"
#include "io_result.hpp"
#include "relay.hpp"
#include "socket_address.hpp"
#include "unique_fd.hpp"

namespace echod {

struct EchoContext;

class Connection final : public Channel {
 public:
  static constexpr std::chrono::milliseconds kTick{10};  // Of the clock for timeouts.

  // Takes over a connected, non-blocking socket. `table_index` is the table's, for it to find back.
  Connection(EchoContext& context, std::uint32_t table_index, sys::UniqueFd fd,
             const sys::SocketAddress& peer) noexcept;

  // Registers with the loop; if that fails the connection closes.
  void start() noexcept;
  Turn on_turn(std::uint32_t events) noexcept override;

  // Closes it if a timeout is over. Called for every connection by the timeout sweep.
  void check_timeouts() noexcept;
  // Sends back what the receive queue holds now and no more, then our FIN, then waits for theirs.
  // Does nothing if it began before.
  void begin_drain() noexcept;
  // Closes it at once.
  void abort(CloseReason reason) noexcept;

  [[nodiscard]] std::uint32_t table_index() const noexcept { return table_index_; }

 private:
  enum class State : std::uint8_t { echoing, flushing, delivering, lingering, closed };
  // How one read of a turn ended.
  enum class Step : std::uint8_t {
    more,     // There may be more to read.
    drained,  // The kernel has no more: the next edge brings the next turn.
    left,     // The connection left the state echoing.
  };
  // Centiseconds since some time before the process started. Wraps after 497 days; only differences
  // are used, and none that long matters.
  using Ticks = std::chrono::duration<std::uint32_t, std::centi>;
  static_assert(Ticks(1) == kTick);

  static constexpr std::uint32_t kNotDraining = UINT32_MAX;
  static constexpr std::uint32_t kNotAsked = UINT32_MAX;

  [[nodiscard]] Turn echo() noexcept;
  [[nodiscard]] Step after(Round round) noexcept;
  [[nodiscard]] Step after_empty_read(sys::IoResult received) noexcept;
  [[nodiscard]] Turn flush() noexcept;
  [[nodiscard]] Turn await_delivery(std::uint32_t events) noexcept;
  [[nodiscard]] Turn discard_input() noexcept;
  [[nodiscard]] Turn linger() noexcept;
  void end_of_input() noexcept;
  [[nodiscard]] bool closes_if_delivered() noexcept;
  void close_if_nothing_is_taken() noexcept;
  void time_out(CloseReason reason) noexcept;
  void end_idleness() noexcept;
  void await_writable() noexcept;
  void await_readable() noexcept;
  void count_echo(std::size_t received, std::size_t sent) noexcept;
  // `unsent` of the bytes that were read went nowhere, beside those in the reply.
  void fail(int error, std::size_t unsent = 0) noexcept;
  void close(CloseReason reason, int error = 0, std::size_t unsent = 0) noexcept;
  [[nodiscard]] sys::Duration age() const noexcept;
  void note_progress() noexcept;
  void note_sent() noexcept;
  [[nodiscard]] std::chrono::milliseconds since_progress() const noexcept;
  [[nodiscard]] Ticks now() const noexcept;
  [[nodiscard]] bool awaits_acknowledgement() noexcept;
  [[nodiscard]] bool is_draining() const noexcept { return drain_allowance_ != kNotDraining; }

  State state_ : 7 = State::echoing;
  // Set by RDHUP, HUP, ERR or PRI until recv says EAGAIN: till then a short read proves nothing,
  // for the edge of the FIN may be used up, and recv stops at an urgent mark.
  bool must_read_to_eagain_ : 1 = false;
  sys::UniqueFd fd_;
  EchoContext& context_;
  ReplyPtr reply_;  // Owed bytes, in the state flushing.
  std::uint64_t bytes_received_ = 0;
  std::uint64_t opened_ms_ : 40;  // Of the loop's clock; 34 years.
  BulkState bulk_;
  sys::SocketAddress peer_;
  Ticks last_progress_{};
  // Bytes the kernel has had no acknowledgement for, our FIN counted as one, when last asked since
  // it was given any. 0: there is nothing to ask about.
  std::uint32_t unacknowledged_ = 0;
  std::uint32_t drain_allowance_ = kNotDraining;  // Bytes still to read and echo while draining.
  std::uint32_t table_index_;
};

static_assert(sizeof(Connection) <= 112, "an idle connection costs at most 128 bytes in all");

}  // namespace echod
