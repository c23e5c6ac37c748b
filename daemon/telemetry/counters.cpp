#include "telemetry/counters.hpp"

namespace echod {

namespace {

constexpr std::array<std::string_view, kCounters> kNames = {
    "accepted",
    "accepts_declined",
    "echoes",
    "bytes_received",
    "bytes_sent",
    "bytes_lost",
    "bytes_discarded",
    "empty_connections",
    "flips_to_write",
    "turns_over_budget",
    "unbuffered_reads",
    "splice_rounds",
    "bytes_spliced",
    "splice_enters",
    "splice_leaves",
    "splice_read_backs",
    "splice_no_pipe",
    "splice_pipe_too_small",
    "splice_capped",
    "splice_refused",
    "paused_full",
    "paused_resources",
    "accept_errors",
    "register_failures",
    "connection_lines_suppressed",
    "datagrams_received",
    "datagrams_echoed",
    "datagram_bytes_received",
    "datagram_bytes_sent",
    "datagram_trains",
    "datagram_trains_refused",
    "datagram_receive_errors",
    "datagrams_dropped_incomplete",
    "datagrams_dropped_port_zero",
    "datagrams_dropped_service_port",
    "datagrams_dropped_own_port",
    "datagrams_dropped_to_many",
    "datagrams_dropped_source_address",
    "datagrams_dropped_source_rate",
    "datagrams_dropped_not_sent",
    "closed_peer_closed",
    "closed_reset",
    "closed_timed_out",
    "closed_io_error",
    "closed_idle_timeout",
    "closed_stalled_write",
    "closed_drained",
    "closed_linger_timeout",
    "closed_drain_deadline",
    "closed_forced",
    "closed_by_operator",
};
static_assert(!kNames.back().empty(), "every counter has a name");

}  // namespace

std::string_view name_of(Counter counter) noexcept {
  return kNames[static_cast<std::size_t>(counter)];
}

std::string_view name_of(CloseReason reason) noexcept {
  return name_of(counter_of(reason)).substr(kClosedPrefix.size());
}

}  // namespace echod
