// A daemon can be restarted on the same port immediately.
#include <csignal>

#include "daemon_test.hpp"
#include "reserved_port.hpp"

namespace echod::test {
namespace {

std::string listen_on(std::uint16_t port) {
  return "[[listen]]\naddress = \"127.0.0.1\"\nport = " + std::to_string(port) + '\n';
}

class RestartTest : public DaemonTest {};

TEST_F(RestartTest, UsesTheSamePortWhileOldConnectionsAreInTimeWait) {
  const ReservedPort reserved;
  start(listen_on(reserved.port()));
  for (int round = 0; round < 3; ++round) {
    std::vector<TcpPeer> peers;
    for (int i = 0; i < 5; ++i) {
      peers.push_back(connect());
      ASSERT_TRUE(peers.back().echoes("hello"));
    }
    // The daemon sends its FIN first, so its sockets are the ones in TIME_WAIT.
    daemon().signal(SIGTERM);
    for (TcpPeer& peer : peers) {
      EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
      peer.close();
    }
    daemon().finish_stopped();
    start(listen_on(reserved.port()));
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello again"));
  }
}

TEST_F(RestartTest, UsesTheSamePortAfterItWasKilled) {
  const ReservedPort reserved;
  start(listen_on(reserved.port()));
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  constexpr int kKilled = 128 + SIGKILL;
  daemon().signal(SIGKILL);
  daemon().finish_stopped(kKilled);
  start(listen_on(reserved.port()));
  TcpPeer again = connect();
  EXPECT_TRUE(again.echoes("hello again"));
}

}  // namespace
}  // namespace echod::test
