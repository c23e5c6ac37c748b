// An urgent byte is owed like any other, in its place, and what follows it is not forgotten.
#include "daemon_test.hpp"

namespace echod::test {
namespace {

class UrgentDataTest : public DaemonTest {};

TEST_F(UrgentDataTest, AnUrgentByteAmidDataComesBackInItsPlace) {
  start();
  TcpPeer peer = connect();
  peer.send_all("ab");
  peer.send_urgent('!');
  peer.send_all("cd");
  EXPECT_EQ(peer.receive_exactly(5), "ab!cd");
}

// All of it is there when the daemon reads: recv stops at the mark, and that is no end of the data.
TEST_F(UrgentDataTest, AReadThatStopsAtTheMarkIsGoneOnWith) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  for (int round = 0; round < 20; ++round) {
    const std::string before(1000 + static_cast<std::size_t>(round), 'b');
    const std::string after(3000, 'a');
    daemon().freeze();
    peer.send_all(before);
    peer.send_urgent('!');
    peer.send_all(after);
    wait_until("all to have arrived", [&] { return peer.unacknowledged() == 0; });
    daemon().thaw();
    ASSERT_EQ(peer.receive_exactly(before.size() + 1 + after.size()), before + '!' + after);
  }
}

TEST_F(UrgentDataTest, AnUrgentByteThatIsTheLastBeforeTheFinComesBack) {
  start();
  TcpPeer peer = connect();
  peer.send_all("tail");
  peer.send_urgent('!');
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "tail!");
  EXPECT_EQ(tail.ending, Ending::fin);
}

}  // namespace
}  // namespace echod::test
