// Counts what happens in a worker: every limit that is reached, every refusal, every close.
// Counters start at 0 and only grow.
//
// Thread-safety: only the worker that owns the set adds; any thread may read at any time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "telemetry/single_writer_count.hpp"

namespace echod {

// Why a connection ended. The first error or limit is final.
enum class CloseReason : std::uint8_t {
  peer_closed,     // The peer sent its FIN and has everything that was owed.
  reset,           // The peer sent RST, or took no more (ECONNRESET, EPIPE).
  timed_out,       // The kernel gave up: keepalive or TCP_USER_TIMEOUT (ETIMEDOUT).
  io_error,        // Any other error of the socket (EHOSTUNREACH) or of epoll, or no memory for it.
  idle_timeout,    // The peer neither sent nor acknowledged a byte for timeouts.idle_s.
  stalled_write,   // The peer took no owed byte for timeouts.stalled_write_s.
  drained,         // While stopping: the peer has everything that was owed.
  linger_timeout,  // While stopping: the peer has everything that was owed, but its FIN did not
                   // come within timeouts.linger_s.
  drain_deadline,  // While stopping: timeouts.drain_s was over.
  forced,          // While stopping: a second stop request.
  by_operator,     // The operator closed it (echoctl close).
};
inline constexpr std::size_t kCloseReasons = 11;

[[nodiscard]] std::string_view name_of(CloseReason reason) noexcept;

enum class Counter : std::uint8_t {
  accepted,           // Connections taken from the accept queue.
  accepts_declined,   // Times a worker left the queue to another, with clearly fewer connections.
  echoes,             // Reads that brought bytes to send back.
  bytes_received,     // Bytes read to be echoed.
  bytes_sent,         // The part of bytes_received that the kernel took for sending.
  bytes_lost,         // The part of bytes_received that was not sent when a connection was closed.
  bytes_discarded,    // Bytes read and dropped while stopping, after our FIN.
  empty_connections,  // Connections that ended without a byte: health checks, port scans.
  flips_to_write,     // Times a reply did not fit into the send buffer and the rest was kept.
  turns_over_budget,  // Turns ended by turn.bytes_kib or turn.reads; there may be more to read.
  unbuffered_reads,   // Reads without a buffer: buffers.total_mib was reached, or no memory.
  splice_rounds,      // Rounds that moved bytes through a pipe: nothing was copied.
  bytes_spliced,      // Of bytes_received, those of such rounds; the others were copied.
  splice_enters,      // Times a connection changed from copying to splicing.
  splice_leaves,      // Times a connection changed from splicing to copying.
  splice_read_backs,  // Rounds whose bytes were in pieces too small for a pipe, and were copied.
  splice_no_pipe,     // Rounds that copied because there was no pipe.
  splice_pipe_too_small,  // Pipes that the kernel made too small: pipe-user-pages-soft,
                          // pipe-max-size.
  splice_capped,          // Rounds that copied because too much was unacknowledged.
  splice_refused,         // Rounds that the kernel did not splice, although bytes waited.
  paused_full,            // Accepting stopped at limits.max_connections.
  paused_resources,       // Accepting stopped because descriptors or memory were used up.
  accept_errors,          // Connections that were lost while they waited to be accepted.
  register_failures,  // Accepted connections that had to be closed: refused by epoll(7), because of
                      // fs.epoll.max_user_watches or because the kernel had no memory.
  connection_lines_suppressed,   // Log lines beyond log.connection_lines_per_second, or without
                                 // memory.
  datagrams_received,            // datagrams_echoed and all datagrams_dropped_... together.
  datagrams_echoed,              // Handed to the kernel.
  datagram_bytes_received,       // Bytes of datagrams_received, those of dropped ones too.
  datagram_bytes_sent,           // Bytes of datagrams_echoed.
  datagram_trains,               // Trains of datagrams that the kernel handed over as one.
  datagram_trains_refused,       // Trains that the kernel did not send as one; sent one by one.
  datagram_receive_errors,       // Times a UDP socket could not be read, and was tried again later.
  datagrams_dropped_incomplete,  // Truncated, or without their local address.
  datagrams_dropped_port_zero,   // From port 0.
  datagrams_dropped_service_port,    // From a port of a service: 2049, or one below 1024.
  datagrams_dropped_own_port,        // From a port on which this echod serves UDP.
  datagrams_dropped_to_many,         // To a broadcast or multicast address.
  datagrams_dropped_source_address,  // From an address that no host has.
  datagrams_dropped_source_rate,     // Beyond limits.datagrams_per_source.
  datagrams_dropped_not_sent,        // The kernel did not take the echo.
  closed,                            // First of one counter for each CloseReason; see counter_of().
};
inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::closed) + kCloseReasons;

[[nodiscard]] constexpr Counter counter_of(CloseReason reason) noexcept {
  return static_cast<Counter>(static_cast<std::uint8_t>(Counter::closed) +
                              static_cast<std::uint8_t>(reason));
}

// The name under which it is reported, such as "flips_to_write" or "closed_reset".
[[nodiscard]] std::string_view name_of(Counter counter) noexcept;
// The names of the counters of closed connections begin with it.
inline constexpr std::string_view kClosedPrefix = "closed_";

class Counters {
 public:
  // A thread that sees a connection counted as closed also sees it counted as accepted.
  void add(Counter counter, std::uint64_t amount = 1) noexcept {
    values_[static_cast<std::size_t>(counter)].add(amount);
  }
  [[nodiscard]] std::uint64_t get(Counter counter) const noexcept {
    return values_[static_cast<std::size_t>(counter)].get();
  }

 private:
  std::array<SingleWriterCount, kCounters> values_{};
};

}  // namespace echod
