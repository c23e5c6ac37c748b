// When all reply buffers are held by peers that do not read, everybody else is still served, byte
// for byte, and so are they once they read.
#include <sys/resource.h>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "seed.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

class UnbufferedTest : public DaemonTest {
 protected:
  static constexpr std::size_t kHolders = 12;
  static constexpr std::uint64_t kHeldBytes = 4 * kMib;

  // One MiB in four buffers, twelve peers that fill them.
  void spend_all_buffers() {
    start(
        "[buffers]\nper_connection_kib = 256\ntotal_mib = 1\n"
        "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n");
    for (std::size_t i = 0; i < kHolders; ++i) {
      holders_.push_back(connect({.receive_buffer_bytes = 8192}));
    }
    for (TcpPeer& holder : holders_) {
      pumps_.emplace_back(holder, PumpPlan{.bytes = kHeldBytes, .seed = 21, .reads = false});
    }
    send_until_blocked(pumps_);
    daemon().wait_for_counter("flips_to_write", kHolders);
    daemon().wait_for_counter("unbuffered_reads", 1);
  }

  void TearDown() override {
    holders_.clear();
    DaemonTest::TearDown();
  }

  std::vector<TcpPeer> holders_;
  std::vector<EchoPump> pumps_;
};

TEST_F(UnbufferedTest, PingsAreServedWhileNonReadersHoldAllBuffers) {
  spend_all_buffers();
  std::vector<TcpPeer> pingers;
  for (int i = 0; i < 8; ++i) {
    pingers.push_back(connect());
  }
  const Pattern pattern(22);
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (TcpPeer& pinger : pingers) {
      ASSERT_TRUE(pinger.echoes(pattern.slice(round, 64)));
    }
  }
  EXPECT_LE(daemon().counter("buffered_bytes"), kMib);
}

TEST_F(UnbufferedTest, BulkStreamsAreServedWithoutABuffer) {
  spend_all_buffers();
  const std::uint64_t seed = announce_seed();
  std::vector<TcpPeer> peers;
  std::vector<EchoPump> pumps;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect());
  }
  for (TcpPeer& peer : peers) {
    pumps.emplace_back(peer, PumpPlan{.bytes = 4 * kMib, .seed = seed, .largest_send = 300 * kKib});
  }
  const std::uint64_t before = daemon().counter("unbuffered_reads");
  run_pumps(pumps);
  EXPECT_GT(daemon().counter("unbuffered_reads"), before);
}

TEST_F(UnbufferedTest, TheNonReadersGetEveryByteOnceTheyRead) {
  spend_all_buffers();
  for (EchoPump& pump : pumps_) {
    pump.read_now();
  }
  run_pumps(pumps_);
  daemon().expect_counter("bytes_sent", kHolders * kHeldBytes);
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(UnbufferedTest, HalfCloseAndResetWorkWithoutABuffer) {
  spend_all_buffers();
  const std::uint64_t resets = daemon().counter("closed_reset");
  TcpPeer peer = connect();
  peer.send_all("the tail");
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "the tail");
  EXPECT_EQ(tail.ending, Ending::fin);
  holders_.back().reset();
  daemon().wait_for_counter("closed_reset", resets + 1);
}

// The configured total is far away, but the system has no memory to give.
TEST_F(UnbufferedTest, WithoutMemoryForABufferAConnectionIsServedWithoutOne) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizers need all of the address space";
  }
  start(
      "[buffers]\nper_connection_kib = 4096\ntotal_mib = 1024\n"
      "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n");
  constexpr rlim_t kRoom = 2 * kMib;  // Beside what glibc's arenas have reserved, 64 MiB a thread.
  constexpr std::size_t kUnbufferedPeers = 40;
  constexpr std::uint64_t kBytes = 6 * kMib;
  const rlimit limit{.rlim_cur = daemon().memory().virtual_bytes + kRoom,
                     .rlim_max = RLIM_INFINITY};
  ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_AS, &limit, nullptr), 0);
  for (std::size_t i = 0; i < kUnbufferedPeers; ++i) {
    holders_.push_back(connect({.receive_buffer_bytes = 8192}));
  }
  for (TcpPeer& holder : holders_) {
    pumps_.emplace_back(holder, PumpPlan{.bytes = kBytes, .seed = 23, .reads = false});
  }
  send_until_blocked(pumps_);
  daemon().wait_for_counter("unbuffered_reads", 1);
  TcpPeer pinger = connect();
  EXPECT_TRUE(pinger.echoes("ping"));
  for (EchoPump& pump : pumps_) {
    pump.read_now();
  }
  run_pumps(pumps_);
  daemon().expect_counter("bytes_sent", kUnbufferedPeers * kBytes + 4);
}

}  // namespace
}  // namespace echod::test
