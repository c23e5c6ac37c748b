// Decides whether a datagram may be echoed. An echo service must never answer another one, or the
// two send the same bytes back and forth for ever: one datagram with a forged source address is
// enough to begin that (CVE-1999-0103, CVE-2024-2169).
//
// Thread-safety: a function without state.
#pragma once

#include <cstdint>
#include <span>

#include "sys/datagram_batch.hpp"
#include "telemetry/counters.hpp"

namespace echod {

enum class DatagramVerdict : std::uint8_t {
  echo,
  incomplete,      // Bytes or facts about it did not fit into a slot.
  port_zero,       // The source port is 0, to which nothing can be sent.
  service_port,    // The source port is 2049 (NFS) or below 1024: a service may answer the echo.
  own_port,        // This echod serves UDP on the source port, so the sender may be another echod.
  to_many,         // It was sent to a broadcast or multicast address.
  source_address,  // The source address is multicast, broadcast, 0.0.0.0/8 or ::.
};

// `own_ports`: all ports on which this echod serves UDP.
[[nodiscard]] DatagramVerdict verdict_on(const sys::ReceivedDatagrams& datagrams,
                                         std::span<const std::uint16_t> own_ports) noexcept;

// The counter of the datagrams with this verdict, which must not be `echo`.
[[nodiscard]] Counter counter_of(DatagramVerdict verdict) noexcept;

}  // namespace echod
