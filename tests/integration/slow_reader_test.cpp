// A peer that does not read is not read from, and memory is bounded.
#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

// Small sockets, so that hundreds of full ones do not press the kernel's memory for TCP.
constexpr const char* kSlowReaderSockets =
    "[socket]\nsend_buffer_kib = 16\nreceive_buffer_kib = 16\n";
constexpr PeerOptions kSlowPeer{.receive_buffer_bytes = 8192, .send_buffer_bytes = 8192};

class SlowReaderTest : public DaemonTest {
 protected:
  void connect_pumps(std::size_t count, const PumpPlan& plan) {
    for (std::size_t i = 0; i < count; ++i) {
      peers_.push_back(connect(kSlowPeer));
    }
    for (TcpPeer& peer : peers_) {
      pumps_.emplace_back(peer, plan);
    }
  }

  void TearDown() override {
    peers_.clear();
    DaemonTest::TearDown();
  }

  std::vector<TcpPeer> peers_;
  std::vector<EchoPump> pumps_;
};

TEST_F(SlowReaderTest, AClientThatWritesUntilItBlocksAndThenReadsGetsEverything) {
  start("[buffers]\nsplice = false\n");
  peers_.push_back(connect(kLateReader));
  pumps_.emplace_back(peers_[0],
                      PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 11, .reads = false});
  send_until_blocked(pumps_);
  daemon().wait_for_counter("flips_to_write", 1);
  EXPECT_GT(daemon().counter("buffered_bytes"), 0U);
  pumps_[0].read_now();
  run_pumps(pumps_);
  EXPECT_EQ(pumps_[0].received(), kMoreThanBuffersHold);
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(SlowReaderTest, TwoHundredSlowReadersCostNoMoreThanTheirBuffers) {
  start(std::string(kSlowReaderSockets) + "[buffers]\nper_connection_kib = 64\ntotal_mib = 4\n");
  constexpr std::size_t kReaders = 200;
  const std::uint64_t before = daemon().memory().private_dirty_bytes;
  connect_pumps(kReaders, {.bytes = 512 * kKib, .seed = 12, .reads = false});
  send_until_blocked(pumps_);
  daemon().wait_for_counter("flips_to_write", kReaders);
  EXPECT_LE(daemon().counter("buffered_bytes"), 4 * kMib);
  const std::uint64_t grown = daemon().memory().private_dirty_bytes - before;
  if (!kSanitized) {
    EXPECT_LE(grown, 5 * kMib) << "buffers.total_mib and a little for the connections";
  }
  for (EchoPump& pump : pumps_) {
    pump.read_now();
  }
  run_pumps(pumps_);
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(SlowReaderTest, ThousandsOfSendersThatNeverReadStayWithinTheTotal) {
  start(std::string(kSlowReaderSockets) +
        "[buffers]\nper_connection_kib = 16\ntotal_mib = 2\n[log]\nfile_level = \"info\"\n");
  constexpr std::size_t kSenders = 800;
  const std::uint64_t before = daemon().memory().private_dirty_bytes;
  connect_pumps(kSenders, {.bytes = kMib, .seed = 13, .reads = false});
  send_until_blocked(pumps_);
  daemon().wait_for_counter("flips_to_write", kSenders);
  EXPECT_LE(daemon().counter("buffered_bytes"), 2 * kMib);
  if (!kSanitized) {
    EXPECT_LE(daemon().memory().private_dirty_bytes - before, 3 * kMib);
  }
  TcpPeer other = connect();
  EXPECT_TRUE(other.echoes("still here"));
}

TEST_F(SlowReaderTest, AReaderOfSmallPiecesGetsEverything) {
  start(std::string(kSlowReaderSockets) + "[buffers]\nper_connection_kib = 4\n");
  constexpr std::uint64_t kBytes = 2 * kMib;
  connect_pumps(1, {.bytes = kBytes, .seed = 14, .largest_receive = 700});
  run_pumps(pumps_);
  EXPECT_EQ(pumps_[0].received(), kBytes);
  EXPECT_GT(daemon().counter("flips_to_write"), 0U);
}

}  // namespace
}  // namespace echod::test
