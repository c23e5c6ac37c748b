// The fixture of the tests of datagrams: one daemon with a UDP listener and an admin socket.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>

#include "admin_client.hpp"
#include "udp_peer.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {

// The [[listen]] of one UDP listener.
inline std::string udp_config(const std::string& address, std::uint16_t port = 0) {
  return "[[listen]]\nprotocol = \"udp\"\naddress = \"" + address +
         "\"\nport = " + std::to_string(port) + '\n';
}

// A datagram that tells its number, of at least `bytes` bytes.
inline std::string numbered(std::size_t number, std::size_t bytes) {
  std::string text = std::to_string(number) + ' ';
  text.resize(std::max(bytes, text.size()), static_cast<char>('a' + number % 26));
  return text;
}

class DatagramFixture : public UpgradeFixture {
 protected:
  DaemonProcess& start_udp(const std::string& config) {
    DaemonProcess& started = start_replaceable(DaemonOptions{
        .config = config, .environment = {"RUNTIME_DIRECTORY=" + runtime_.path().string()}});
    started.allow_log("raise net.core.rmem_max");
    return started;
  }
  [[nodiscard]] UdpPeer udp_peer(const std::string& host = "127.0.0.1",
                                 const UdpPeerOptions& options = {}) {
    return {host, daemon().datagram_port(), options};
  }
  [[nodiscard]] std::uint64_t dropped_by_kernel() {
    return metric("echod_datagram_listener_queue_dropped_total");
  }
  [[nodiscard]] std::uint64_t metric(const std::string& name) {
    const AdminClient admin(runtime_.file("admin.sock"));
    std::istringstream lines(admin.get("/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + '{') || line.starts_with(name + ' ')) {
        return std::stoull(line.substr(line.rfind(' ')));
      }
    }
    ADD_FAILURE() << "no metric " << name;
    return 0;
  }
  // Sends `count` datagrams while the daemon is stopped. Waits until each is echoed, or dropped by
  // the kernel.
  void overload(const UdpPeer& peer, std::size_t count) {
    daemon().freeze();
    for (std::size_t i = 0; i < count; ++i) {
      peer.send(numbered(i, 100));
    }
    daemon().thaw();
    wait_until("all datagrams to be echoed or dropped",
               [&] { return daemon().counter("datagrams_echoed") + dropped_by_kernel() == count; });
  }
  // Each datagram that was received was echoed or dropped.
  void expect_balance() {
    const auto counters = daemon().counters();
    std::uint64_t dropped = 0;
    for (const auto& [name, value] : counters) {
      dropped += name.starts_with("datagrams_dropped_") ? value : 0;
    }
    EXPECT_EQ(counters.at("datagrams_received"), counters.at("datagrams_echoed") + dropped);
  }

  const TemporaryDirectory runtime_;
};

}  // namespace echod::test
