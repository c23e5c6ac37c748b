// Decides whether a datagram may be answered. An echo must never answer another echo, or the two
// send the same bytes back and forth for ever: one datagram with a forged source address is enough
// to begin that (CVE-1999-0103, CVE-2024-2169).
//
// Thread-safety: a function without state.
#pragma once

#include <cstdint>
#include <span>

#include "sys/datagram_batch.hpp"
#include "telemetry/counters.hpp"

namespace echod {

enum class DatagramVerdict : std::uint8_t {
  answer,
  incomplete,    // Bytes or facts about it did not fit into a slot.
  port_zero,     // The source port is 0, to which nothing can be sent.
  service_port,  // The source port is below 1024 or 2049 (NFS): services that may answer echoes.
  own_port,      // The source port is one on which this echod serves UDP, so maybe another echod's.
  to_many,       // It was sent to a broadcast or multicast address.
  source_address,  // Its source address is not that of a host.
};

// `own_ports`: all ports on which this echod serves UDP.
[[nodiscard]] DatagramVerdict verdict_on(const sys::ReceivedDatagrams& datagrams,
                                         std::span<const std::uint16_t> own_ports) noexcept;

// The counter of the datagrams with this verdict, which must not be `answer`.
[[nodiscard]] Counter counter_of(DatagramVerdict verdict) noexcept;

}  // namespace echod
