#include "echo/datagram_guard.hpp"

#include <algorithm>

#include "sys/invariant.hpp"

namespace echod {

namespace {

constexpr std::uint16_t kFirstClientPort = 1024;
constexpr std::uint16_t kNfsPort = 2049;

// 0.0.0.0/8 is "this network" (RFC 1122 section 3.2.1.3).
bool is_of_a_host(const SocketAddress& address) noexcept {
  return address.is_unicast() && !address.is_any() &&
         (address.is_v6() || address.bytes().front() != 0);
}

}  // namespace

DatagramVerdict verdict_on(const sys::ReceivedDatagrams& datagrams,
                           std::span<const std::uint16_t> own_ports) noexcept {
  const std::uint16_t port = datagrams.peer.port();
  if (!datagrams.is_whole) {
    return DatagramVerdict::incomplete;
  }
  if (port == 0) {
    return DatagramVerdict::port_zero;
  }
  if (port < kFirstClientPort || port == kNfsPort) {
    return DatagramVerdict::service_port;
  }
  if (std::find(own_ports.begin(), own_ports.end(), port) != own_ports.end()) {
    return DatagramVerdict::own_port;
  }
  if (!datagrams.is_unicast) {
    return DatagramVerdict::to_many;
  }
  return is_of_a_host(datagrams.peer) ? DatagramVerdict::echo : DatagramVerdict::source_address;
}

Counter counter_of(DatagramVerdict verdict) noexcept {
  switch (verdict) {
    case DatagramVerdict::echo:
      break;
    case DatagramVerdict::incomplete:
      return Counter::datagrams_dropped_incomplete;
    case DatagramVerdict::port_zero:
      return Counter::datagrams_dropped_port_zero;
    case DatagramVerdict::service_port:
      return Counter::datagrams_dropped_service_port;
    case DatagramVerdict::own_port:
      return Counter::datagrams_dropped_own_port;
    case DatagramVerdict::to_many:
      return Counter::datagrams_dropped_to_many;
    case DatagramVerdict::source_address:
      return Counter::datagrams_dropped_source_address;
  }
  invariant(false, "a datagram that is answered is not dropped");
  return Counter::datagrams_dropped_incomplete;
}

}  // namespace echod
