// An urgent byte is owed like any other, in its place, and what follows it is not forgotten: on
// sockets that echod opens, on those that were passed to it, and where no buffer is left.
#include <optional>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "passed_listener.hpp"

namespace echod::test {
namespace {

enum class Way : std::uint8_t { own, passed, unbuffered };

class UrgentDataTest : public DaemonTest, public testing::WithParamInterface<Way> {
 protected:
  void start_in_that_way() {
    switch (GetParam()) {
      case Way::own:
        start();
        break;
      case Way::passed:
        start(DaemonOptions{.config = listener_.config(), .passes = {listener_.fd()}});
        break;
      case Way::unbuffered:
        start(
            "workers = 1\n[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n"
            "[socket]\nreceive_buffer_kib = 16\nsend_buffer_kib = 16\n");
        has_the_buffer_ = connect({.receive_buffer_bytes = 8192, .send_buffer_bytes = 8192});
        send_until_blocked(*has_the_buffer_);
        break;
    }
  }
  void TearDown() override {
    if (GetParam() == Way::unbuffered) {
      EXPECT_GT(daemon().counter("unbuffered_reads"), 0U);
    }
    has_the_buffer_.reset();
    DaemonTest::TearDown();
  }

  const PassedListener listener_;
  std::optional<TcpPeer> has_the_buffer_;
};

TEST_P(UrgentDataTest, AnUrgentByteAmidDataComesBackInItsPlace) {
  start_in_that_way();
  TcpPeer peer = connect();
  peer.send_all("ab");
  peer.send_urgent('!');
  peer.send_all("cd");
  EXPECT_EQ(peer.receive_exactly(5), "ab!cd");
}

// All of it is there when the daemon reads: recv stops at the mark, and that is no end of the data.
TEST_P(UrgentDataTest, AReadThatStopsAtTheMarkIsGoneOnWith) {
  start_in_that_way();
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

TEST_P(UrgentDataTest, AnUrgentByteThatIsTheLastBeforeTheFinComesBack) {
  start_in_that_way();
  TcpPeer peer = connect();
  peer.send_all("tail");
  peer.send_urgent('!');
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "tail!");
  EXPECT_EQ(tail.ending, Ending::fin);
}

INSTANTIATE_TEST_SUITE_P(Ways, UrgentDataTest,
                         testing::Values(Way::own, Way::passed, Way::unbuffered),
                         [](const auto& tested) -> std::string {
                           switch (tested.param) {
                             case Way::own:
                               return "Own";
                             case Way::passed:
                               return "Passed";
                             case Way::unbuffered:
                               break;
                           }
                           return "Unbuffered";
                         });

}  // namespace
}  // namespace echod::test
