// A reset in any state ends that connection and nothing else, and never makes the loop spin.
#include "daemon_test.hpp"
#include "echo_pump.hpp"

namespace echod::test {
namespace {

class ResetTest : public DaemonTest {
 protected:
  // Blocks a connection on a reader that does not read, with bytes owed.
  void block(TcpPeer& peer) {
    const std::uint64_t flips = daemon().counter("flips_to_write");
    send_until_blocked(peer);
    daemon().wait_for_counter("flips_to_write", flips + 1);
  }

  void expect_served() {
    TcpPeer other = connect();
    EXPECT_TRUE(other.echoes("still here"));
  }
};

TEST_F(ResetTest, OfAnIdleConnection) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  const std::string name = peer.name();
  peer.reset();
  const std::string line = daemon().wait_for_log("close peer=" + name + ' ');
  EXPECT_NE(line.find(" in=5 out=5 "), std::string::npos) << line;
  EXPECT_NE(line.find(" reason=reset"), std::string::npos) << line;
  daemon().expect_counter("closed_reset", 1);
  expect_served();
}

TEST_F(ResetTest, BeforeItWasAccepted) {
  start();
  daemon().freeze();
  for (int i = 0; i < 20; ++i) {
    TcpPeer peer = connect();
    if (i % 2 == 0) {
      peer.send_all("data that nobody waits for");
    }
    peer.reset();
  }
  daemon().thaw();
  expect_served();
  daemon().wait_for_counter("accepted", 1);
  wait_until("all to be closed", [this] { return daemon().counter("connections") == 0; });
}

TEST_F(ResetTest, WithBytesInTheReceiveQueue) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().freeze();
  peer.send_all("more");
  peer.reset();
  daemon().thaw();
  daemon().wait_for_counter("closed_reset", 1);
  expect_served();
}

TEST_F(ResetTest, WhileBytesAreOwed) {
  start();
  TcpPeer peer = connect(kLateReader);
  block(peer);
  peer.reset();
  daemon().wait_for_counter("closed_reset", 1);
  daemon().expect_counter("buffered_bytes", 0);
  expect_served();
}

TEST_F(ResetTest, AfterAHalfCloseWithBytesOwed) {
  start();
  TcpPeer peer = connect();
  const std::string bytes(200'000, 'x');
  peer.send_all(bytes);
  peer.half_close();
  peer.reset();
  wait_until("it to be closed", [this] {
    const auto counters = daemon().counters();
    return counters.at("accepted") == 1 && counters.at("connections") == 0;
  });
  expect_served();
}

// EPOLLERR and EPOLLHUP are reported whatever is registered: handled once, or a spin.
TEST_F(ResetTest, OfManyBlockedConnectionsLeavesTheDaemonAtRest) {
  start();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect(kLateReader));
    block(peers.back());
  }
  for (TcpPeer& peer : peers) {
    peer.reset();
  }
  daemon().wait_for_counter("closed_reset", 4);
  const auto before = daemon().cpu_time();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // The time that is measured.
  EXPECT_LT(daemon().cpu_time() - before, std::chrono::milliseconds(kSanitized ? 100 : 25));
}

TEST_F(ResetTest, StormsOfResetsAmidTrafficDisturbNobody) {
  start("[log]\nfile_level = \"info\"\n");
  TcpPeer steady = connect();
  for (int round = 0; round < 300; ++round) {
    TcpPeer peer = connect();
    peer.send_all("some bytes");
    peer.reset();
    ASSERT_TRUE(steady.echoes("ping"));
  }
  wait_until("the others to be gone", [this] { return daemon().counter("connections") == 1; });
}

}  // namespace
}  // namespace echod::test
