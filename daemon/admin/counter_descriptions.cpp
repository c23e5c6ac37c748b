#include "admin/counter_descriptions.hpp"

#include <array>
#include <cctype>
#include <cstddef>

namespace echod {

namespace {

constexpr std::array<CounterDescription, kCounters> kDescriptions = {{
    {Counter::accepted, "echod_connections_accepted_total", "connections that were accepted"},
    {Counter::accepts_declined, "echod_accepts_declined_total",
     "times that a worker did not accept and left the clients to a worker with clearly fewer "
     "connections"},
    {Counter::echoes, "echod_echoes_total", "reads that returned bytes to echo"},
    {Counter::bytes_received, "echod_received_bytes_total", "bytes that were read to be echoed"},
    {Counter::bytes_sent, "echod_sent_bytes_total",
     "echoed bytes that the kernel accepted for sending"},
    {Counter::bytes_lost, "echod_lost_bytes_total",
     "bytes that were read but not sent, because their connection was closed before"},
    {Counter::bytes_discarded, "echod_discarded_bytes_total",
     "bytes that were read and discarded during a stop, after echod had sent end of file"},
    {Counter::empty_connections, "echod_connections_empty_total",
     "connections that ended without a byte, such as health checks and port scans"},
    {Counter::flips_to_write, "echod_flips_to_write_total",
     "replies that did not fit into the socket, so that the rest was kept in a buffer or a pipe"},
    {Counter::turns_over_budget, "echod_turns_over_budget_total",
     "turns of connections and UDP sockets that reached a limit of [turn]; there may have been "
     "more to read"},
    {Counter::unbuffered_reads, "echod_unbuffered_reads_total",
     "reads without a buffer, because buffers.total_mib was used up or memory was short"},
    {Counter::splice_rounds, "echod_splice_rounds_total",
     "times that bulk was moved through a pipe instead of being copied"},
    {Counter::bytes_spliced, "echod_spliced_bytes_total",
     "received bytes that were moved through a pipe"},
    {Counter::splice_enters, "echod_splice_enters_total",
     "times that a connection changed from copying to splicing"},
    {Counter::splice_leaves, "echod_splice_leaves_total",
     "times that a connection changed from splicing to copying"},
    {Counter::splice_read_backs, "echod_splice_fallbacks_total",
     "times that bulk was copied, because its pieces were too small for a pipe", "cause",
     "read_back",
     "Times that bulk was copied, because its pieces were too small for a pipe (read_back), no "
     "pipe was available (no_pipe), too many bytes were unacknowledged (capped), or the kernel "
     "refused to splice it (refused)."},
    {Counter::splice_no_pipe, "echod_splice_fallbacks_total",
     "times that bulk was copied, because no pipe was available", "cause", "no_pipe"},
    {Counter::splice_pipe_too_small, "echod_splice_pipes_too_small_total",
     "pipes that the kernel made too small, because of fs.pipe-user-pages-soft or "
     "fs.pipe-max-size"},
    {Counter::splice_capped, "echod_splice_fallbacks_total",
     "times that bulk was copied, because too many bytes were unacknowledged", "cause", "capped"},
    {Counter::splice_refused, "echod_splice_fallbacks_total",
     "times that bulk was copied, because the kernel refused to splice it", "cause", "refused"},
    {Counter::paused_full, "echod_accept_pauses_total",
     "times that accepting stopped at limits.max_connections; clients wait", "cause", "full",
     "Times that accepting stopped, because limits.max_connections was reached (full), or "
     "descriptors or memory were used up (resources)."},
    {Counter::paused_resources, "echod_accept_pauses_total",
     "times that accepting stopped, because descriptors or memory were used up; clients wait",
     "cause", "resources"},
    {Counter::accept_errors, "echod_connections_refused_total",
     "connections that were lost while they waited to be accepted", "reason", "accept_error",
     "Connections that were lost while they waited to be accepted (accept_error), or closed at "
     "once because epoll did not register them (register_failure)."},
    {Counter::register_failures, "echod_connections_refused_total",
     "connections that were closed at once, because epoll did not register them", "reason",
     "register_failure"},
    {Counter::connection_lines_suppressed, "echod_log_lines_suppressed_total",
     "log lines about connections that were left out, because there were more than "
     "log.connection_lines_per_second or memory was short"},
    {Counter::datagrams_received, "echod_datagrams_received_total",
     "datagrams that were read from UDP sockets; they were echoed or dropped"},
    {Counter::datagrams_echoed, "echod_datagrams_echoed_total",
     "datagrams whose echo the kernel accepted for sending"},
    {Counter::datagram_bytes_received, "echod_datagrams_received_bytes_total",
     "bytes of the datagrams that were read"},
    {Counter::datagram_bytes_sent, "echod_datagrams_echoed_bytes_total",
     "bytes of the datagrams that were echoed"},
    {Counter::datagram_trains, "echod_datagram_trains_total",
     "times that the kernel handed several datagrams of one client over as one train"},
    {Counter::datagram_trains_refused, "echod_datagram_trains_refused_total",
     "trains of datagrams that the kernel did not send as one, so that they were sent one by one"},
    {Counter::datagram_receive_errors, "echod_datagram_receive_errors_total",
     "times that a UDP socket could not be read and was tried again later"},
    {Counter::datagrams_dropped_incomplete, "echod_datagrams_dropped_total",
     "dropped datagrams: truncated, or without the address to which they were sent", "reason",
     "incomplete", "Datagrams that were read and not echoed; echod(8) explains each reason."},
    {Counter::datagrams_dropped_port_zero, "echod_datagrams_dropped_total",
     "dropped datagrams: from port 0", "reason", "port_zero"},
    {Counter::datagrams_dropped_service_port, "echod_datagrams_dropped_total",
     "dropped datagrams: from a port below 1024, or 2049", "reason", "service_port"},
    {Counter::datagrams_dropped_own_port, "echod_datagrams_dropped_total",
     "dropped datagrams: from a port on which echod serves UDP", "reason", "own_port"},
    {Counter::datagrams_dropped_to_many, "echod_datagrams_dropped_total",
     "dropped datagrams: to a broadcast or multicast address", "reason", "to_many"},
    {Counter::datagrams_dropped_source_address, "echod_datagrams_dropped_total",
     "dropped datagrams: from an address that no host has", "reason", "source_address"},
    {Counter::datagrams_dropped_source_rate, "echod_datagrams_dropped_total",
     "dropped datagrams: beyond limits.datagrams_per_source", "reason", "source_rate"},
    {Counter::datagrams_dropped_not_sent, "echod_datagrams_dropped_total",
     "dropped datagrams: the kernel did not take the echo", "reason", "not_sent"},
    {counter_of(CloseReason::peer_closed), "echod_connections_closed_total",
     "the client ended its side and has everything", "reason", "peer_closed",
     "Connections that ended; echod(8) explains each reason."},
    {counter_of(CloseReason::reset), "echod_connections_closed_total",
     "the client reset the connection", "reason", "reset"},
    {counter_of(CloseReason::timed_out), "echod_connections_closed_total",
     "the client vanished: keepalive or socket.user_timeout_s", "reason", "timed_out"},
    {counter_of(CloseReason::io_error), "echod_connections_closed_total",
     "another network error; the log has its text", "reason", "io_error"},
    {counter_of(CloseReason::idle_timeout), "echod_connections_closed_total",
     "timeouts.idle_s without a byte in either direction", "reason", "idle_timeout"},
    {counter_of(CloseReason::stalled_write), "echod_connections_closed_total",
     "timeouts.stalled_write_s without the client taking a byte", "reason", "stalled_write"},
    {counter_of(CloseReason::drained), "echod_connections_closed_total",
     "a stop; the client has everything", "reason", "drained"},
    {counter_of(CloseReason::linger_timeout), "echod_connections_closed_total",
     "a stop; the client did not end its side within timeouts.linger_s", "reason",
     "linger_timeout"},
    {counter_of(CloseReason::drain_deadline), "echod_connections_closed_total",
     "a stop; timeouts.drain_s was over", "reason", "drain_deadline"},
    {counter_of(CloseReason::forced), "echod_connections_closed_total",
     "a stop; a second signal said: now", "reason", "forced"},
    {counter_of(CloseReason::by_operator), "echod_connections_closed_total",
     "an operator closed it through the admin socket", "reason", "by_operator"},
}};

constexpr bool are_in_order() {
  for (std::size_t i = 0; i < kDescriptions.size(); ++i) {
    if (static_cast<std::size_t>(kDescriptions[i].counter) != i) {
      return false;
    }
  }
  return true;
}
static_assert(are_in_order(), "every counter has its description");

}  // namespace

const CounterDescription& description_of(Counter counter) noexcept {
  return kDescriptions[static_cast<std::size_t>(counter)];
}

std::string metric_help(const CounterDescription& description) {
  if (!description.label.empty()) {
    return std::string(description.metric_help);
  }
  std::string sentence = std::string(description.meaning) + '.';
  sentence.front() = static_cast<char>(std::toupper(sentence.front()));
  return sentence;
}

}  // namespace echod
