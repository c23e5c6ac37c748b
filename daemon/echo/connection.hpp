// One connection, over TCP or a UNIX socket. It sends back every byte that it receives, once, in
// order.
//
//   state       registered for  kept   a turn does              next state
//   ----------  --------------  -----  -----------------------  ---------------------------------
//   echoing     IN PRI RDHUP    -      rounds (relay.hpp), to   flushing    send buffer is full
//                                      a short read, EAGAIN or  delivering  FIN read, tail unacked
//                                      the budget               lingering   draining, all sent back
//   flushing    OUT             bytes  send, no read            echoing     all bytes are sent
//   delivering  IN PRI RDHUP    -      ask what is acked        closed      all bytes are acked
//   lingering   IN PRI RDHUP    -      read and discard         delivering  FIN read, tail unacked
//   closed      -               -      nothing                  destroyed after the iteration
//
// "Kept" bytes are received and not sent yet. Sent bytes may still be unacknowledged in any state.
//
// Any state changes to closed on an error of the socket or of epoll, on a FIN when everything is
// acknowledged, on a timeout, at the drain deadline, on a second stop signal, and when an operator
// closes it. The first reason is final. EPOLLHUP, EPOLLERR and EPOLLRDHUP do not close: they cause
// the next call, whose result decides.
//
// Flushing: the kept bytes are in a reply (reply.hpp), a block of memory or a pipe. If all reply
// buffers are in use there is no reply: the bytes stay in the receive queue, and the next OUT
// changes the state back to echoing.
//
// Delivering: close(2) would leave the tail to an orphaned socket. The kernel drops orphans if
// there are too many, and after some minutes of a closed window, and counts neither
// (tcp_max_orphans, tcp_orphan_retries in tcp(7)). So the connection stays open until the peer has
// acknowledged all.
//
// Lingering: close(2) while the peer still sends would make the kernel send a reset, and a reset
// destroys what the peer has not read yet. So the connection sends its FIN and discards what
// arrives. The linger time starts when the peer has acknowledged everything; until then the other
// timeouts apply.
//
// UNIX sockets (unix(7)): sent bytes are in the peer's receive queue, where close(2) leaves them.
// So there is no state delivering: after the FIN the connection closes at once. A read also stops
// at a message with descriptors, and is not taken for a short read then. The peer has read all if
// SIOCOUTQ is 0; other values are no numbers of bytes. There is no reset: after a timeout the peer
// reads what was sent, then the end of file.
//
// Timeouts: a connection without progress (progress.hpp) ends after the idle timeout. If it owes
// bytes, the stalled-write timeout applies as well, and the shorter of the two ends it. It owes
// what it keeps and what the peer has not acknowledged. If bytes are owed, a timeout resets the
// connection, so that no orphan keeps them.
//
// Thread-safety: belongs to its worker's thread. Never blocks.
#pragma once

#include <cstdint>

#include "config/net/socket_address.hpp"
#include "echo/progress.hpp"
#include "echo/relay.hpp"
#include "loop/channel.hpp"
#include "sys/clock.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"
#include "telemetry/counters.hpp"

namespace echod {

struct ConnectionFacts;
struct EchoContext;
struct ParkedConnection;

class Connection final : public Channel {
 public:
  enum class State : std::uint8_t { echoing, flushing, delivering, lingering, closed };

  // The index of the connection in the table, and the number of its listener.
  struct TableEntry {
    static constexpr std::uint32_t kLargestIndex = 0xFFFFFF;

    std::uint32_t table_index : 24 = 0;
    std::uint32_t listener : 8 = 0;
  };

  // Takes over a connected, non-blocking socket.
  Connection(EchoContext& context, TableEntry entry, sys::UniqueFd fd,
             const SocketAddress& peer) noexcept;
  // Takes over the socket of a parked connection and continues where that one stopped. `reply` is
  // what it owes.
  Connection(EchoContext& context, TableEntry entry, const ParkedConnection& parked,
             ReplyPtr reply) noexcept;

  // Registers with the loop. The connection closes if that fails.
  void start() noexcept;
  // The same, for a connection that was parked.
  void resume() noexcept;
  // Describes the connection while its worker is parked. It keeps everything that it owns.
  [[nodiscard]] ParkedConnection park() noexcept;
  Turn on_turn(std::uint32_t events) noexcept override;

  // Closes the connection if a timeout has expired. Called by the timeout sweep.
  void check_timeouts() noexcept;
  // Sends back what the receive queue holds now and nothing after that, then sends our FIN and
  // waits for the peer's. No-op if it drains already or the peer's FIN was read.
  void begin_drain() noexcept;
  // Closes the connection immediately, by a reset if received bytes were not sent.
  void abort(CloseReason reason) noexcept;
  // Closes it immediately, by a reset if bytes are owed, so that the kernel does not keep them.
  void close_by_operator() noexcept;

  [[nodiscard]] std::uint32_t table_index() const noexcept { return entry_.table_index; }
  // What an operator sees of it (connection_facts.hpp). Makes no system call.
  [[nodiscard]] ConnectionFacts facts() const noexcept;
  // The received bytes that the peer has not acknowledged. For a UNIX socket: the received bytes
  // that were not sent. Asks the kernel.
  [[nodiscard]] std::uint64_t owed_bytes() const noexcept;

 private:
  // What to do after a round.
  enum class Step : std::uint8_t {
    more,         // There may be more to read.
    would_block,  // The kernel has no more: the next edge brings the next turn.
    left,         // The connection left the state echoing.
  };
  static constexpr std::uint32_t kNotDraining = UINT32_MAX;

  void register_for(std::uint32_t events) noexcept;
  [[nodiscard]] Turn echo() noexcept;
  [[nodiscard]] Step finish_round(Round round) noexcept;
  [[nodiscard]] Step finish_empty_read(sys::IoResult received) noexcept;
  [[nodiscard]] Turn flush() noexcept;
  [[nodiscard]] Turn await_delivery(std::uint32_t events) noexcept;
  [[nodiscard]] Turn discard_input() noexcept;
  [[nodiscard]] Turn begin_lingering() noexcept;
  void end_of_input() noexcept;
  [[nodiscard]] bool closes_if_delivered() noexcept;
  void close_if_timed_out() noexcept;
  void reset_or_close(CloseReason reason) noexcept;
  void on_idle_timeout() noexcept;
  void await_writable() noexcept;
  void await_readable() noexcept;
  void count_echo(std::size_t received, std::size_t sent) noexcept;
  // `unsent`: bytes that were read and are lost, besides those of the reply.
  void fail(int error, std::size_t unsent = 0) noexcept;
  void close(CloseReason reason, int error = 0, std::size_t unsent = 0) noexcept;
  [[nodiscard]] sys::Duration age() const noexcept;
  [[nodiscard]] std::size_t kept_bytes() const noexcept;
  [[nodiscard]] bool has_unacknowledged() noexcept;
  [[nodiscard]] bool is_local() const noexcept { return peer_.is_local(); }
  [[nodiscard]] bool is_draining() const noexcept { return drain_allowance_ != kNotDraining; }

  State state_ : 7 = State::echoing;
  // Set by RDHUP, HUP, ERR or PRI, cleared by EAGAIN of recv. In between a short read does not mean
  // that the queue is empty: recv stops at an urgent mark, and the edge of the FIN may be used up.
  bool must_read_to_eagain_ : 1 = false;
  sys::UniqueFd fd_;
  EchoContext& context_;
  ReplyPtr reply_;  // Owed bytes while flushing.
  std::uint64_t bytes_received_ = 0;
  std::uint64_t opened_ms_ : 40;  // Of the loop's clock. Wraps around after 34 years.
  RelayState relay_state_;
  SocketAddress peer_;
  Progress progress_;
  std::uint32_t drain_allowance_ = kNotDraining;  // Bytes still to read and echo while draining.
  TableEntry entry_;
};

static_assert(sizeof(Connection) <= 112, "an idle connection costs at most 128 bytes in all");

}  // namespace echod
