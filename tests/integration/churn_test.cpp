// Connections come and go by the thousand; each is served, and nothing is left of them.
#include "daemon_test.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

class ChurnTest : public DaemonTest {};

TEST_F(ChurnTest, FiveThousandConnectsAndClosesLeaveNothingBehind) {
  start();
  std::mt19937_64 random(announce_seed());
  constexpr std::uint64_t kConnects = 5000;
  std::uint64_t empty = 0;
  for (std::uint64_t i = 0; i < kConnects; ++i) {
    TcpPeer peer = connect();
    if (random() % 2 == 0) {
      ASSERT_TRUE(peer.echoes("hello"));
    } else {
      ++empty;
    }
    switch (random() % 3) {
      case 0:
        peer.half_close();
        ASSERT_EQ(peer.receive_to_end().ending, Ending::fin);
        break;
      case 1:
        peer.reset();
        break;
      default:
        peer.close();
        break;
    }
  }
  wait_until("all to be closed", [this] {
    const auto counters = daemon().counters();
    return counters.at("accepted") + counters.at("accept_errors") == kConnects &&
           counters.at("connections") == 0;
  });
  daemon().expect_counter("empty_connections", empty);
}

TEST_F(ChurnTest, FiveHundredConnectsAtOnceAreAllServed) {
  start();
  daemon().freeze();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 500; ++i) {
    peers.push_back(connect());
    peers.back().send_all("number " + std::to_string(i));
  }
  daemon().thaw();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const std::string bytes = "number " + std::to_string(i);
    ASSERT_EQ(peers[i].receive_exactly(bytes.size()), bytes);
  }
  daemon().expect_counter("accepted", 500);
}

// Descriptors are closed and given out again within one batch of events.
TEST_F(ChurnTest, ClosesAndConnectsInOneBatchAreNotMixedUp) {
  start("[log]\nfile_level = \"info\"\n");
  for (int round = 0; round < 20; ++round) {
    std::vector<TcpPeer> old;
    for (int i = 0; i < 30; ++i) {
      old.push_back(connect());
      ASSERT_TRUE(old.back().echoes("old"));
    }
    daemon().freeze();
    for (TcpPeer& peer : old) {
      peer.send_all("last words");
      peer.close();
    }
    std::vector<TcpPeer> young;
    for (int i = 0; i < 30; ++i) {
      young.push_back(connect());
      young.back().send_all("young " + std::to_string(i));
    }
    daemon().thaw();
    for (std::size_t i = 0; i < young.size(); ++i) {
      const std::string bytes = "young " + std::to_string(i);
      ASSERT_EQ(young[i].receive_exactly(bytes.size()), bytes);
    }
  }
}

}  // namespace
}  // namespace echod::test
