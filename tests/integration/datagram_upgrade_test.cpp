// Datagrams during an upgrade in place.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "datagram_fixture.hpp"
#include "passed_listener.hpp"

namespace echod::test {
namespace {

class DatagramUpgradeTest : public DatagramFixture {
 protected:
  void TearDown() override {
    if (!daemon().is_finished()) {
      stop_daemon();
    }
    DatagramFixture::TearDown();
  }
  [[nodiscard]] std::size_t upgrades_done() {
    const std::vector<std::string> lines = daemon().err_lines();
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(),
        [](const std::string& line) { return line.find(kUpgraded) != std::string::npos; }));
  }
};

// Not one datagram may be lost, so what waits must wait in a queue that stays.
TEST_F(DatagramUpgradeTest, AnUpgradeUnderLoadLosesNothing) {
  const std::string listen = udp_config("127.0.0.1");
  start_udp("workers = 2\n" + listen);
  std::vector<UdpPeer> peers;
  for (int i = 0; i < 6; ++i) {
    peers.push_back(udp_peer());
  }
  // What each peer has sent and not got back. So much of it fits into the receive buffers.
  constexpr std::size_t kMostOwed = 20;
  std::vector<std::set<std::string>> owed(peers.size());
  std::size_t number = 0;
  const auto receive_until = [&](std::size_t most) {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      while (owed[i].size() > most) {
        EXPECT_EQ(owed[i].erase(peers[i].receive().bytes), 1U);
      }
    }
  };
  const auto send_round = [&] {
    for (std::size_t i = 0; i < peers.size(); ++i) {
      peers[i].send(numbered(number, 64));
      owed[i].insert(numbered(number, 64));
    }
    ++number;
    receive_until(kMostOwed);
  };
  // The same sockets, more workers, and fewer workers.
  for (const char* workers : {"workers = 2\n", "workers = 4\n", "workers = 1\n"}) {
    write_config(workers + listen);
    replace_program();
    daemon().signal(SIGHUP);
    ++upgrades_;
    while (upgrades_done() < upgrades_) {
      send_round();
    }
    for (int i = 0; i < 20; ++i) {
      send_round();
    }
    receive_until(0);
  }
  EXPECT_EQ(dropped_by_kernel(), 0U);
  expect_balance();
}

TEST_F(DatagramUpgradeTest, AnAddedOneIsServedAndARemovedOneIsNot) {
  start_udp("workers = 2\n" + udp_config("127.0.0.1"));
  const std::uint16_t first = daemon().datagram_port();
  const UdpPeer peer("127.0.0.1", first);
  ASSERT_TRUE(peer.echoes("before"));
  std::uint16_t second = 0;
  {
    const PassedListener reserved(SOCK_DGRAM);
    second = reserved.port();
  }
  upgrade_to("workers = 2\n" + udp_config("127.0.0.1") + udp_config("127.0.0.1", second));
  EXPECT_TRUE(peer.echoes("still"));
  EXPECT_TRUE(UdpPeer("127.0.0.1", second).echoes("new"));
  upgrade_to("workers = 2\n" + udp_config("127.0.0.1", second));
  EXPECT_TRUE(UdpPeer("127.0.0.1", second).echoes("stays"));
  // Its port is free, and no longer one of echod's own.
  const UdpPeer takes("127.0.0.1", second, {.host = "127.0.0.1", .port = first});
  EXPECT_TRUE(takes.echoes("taken"));
}

}  // namespace
}  // namespace echod::test
