// Peers that fall silent or take nothing are closed, each for its own counted reason; nobody else
// is.
#include "background.hpp"
#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

class TimeoutsTest : public DaemonTest {
 protected:
  void expect_reason(const std::string& peer, const std::string& reason) {
    const std::string line = daemon().wait_for_log("close peer=" + peer + ' ');
    EXPECT_NE(line.find(" reason=" + reason), std::string::npos) << line;
  }
};

TEST_F(TimeoutsTest, AnIdleConnectionIsClosedWhileABusyOneStays) {
  start("[timeouts]\nidle_s = 3\n");
  TcpPeer idle = connect();
  TcpPeer busy = connect();
  ASSERT_TRUE(idle.echoes("last words"));
  while (!idle.has_news(Deadline(std::chrono::milliseconds(20)))) {
    ASSERT_TRUE(busy.echoes("ping"));
  }
  EXPECT_EQ(idle.receive_to_end().bytes, "");
  expect_reason(idle.name(), "idle_timeout");
  daemon().expect_counter("closed_idle_timeout", 1);
  EXPECT_TRUE(busy.echoes("ping"));
}

TEST_F(TimeoutsTest, AConnectionThatNeverSaidAnythingIsIdleToo) {
  start("[timeouts]\nidle_s = 0.2\n");
  TcpPeer silent = connect();
  EXPECT_EQ(silent.receive_to_end().ending, Ending::fin);
  expect_reason(silent.name(), "idle_timeout");
  daemon().expect_counter("empty_connections", 1);
}

TEST_F(TimeoutsTest, APeerThatTakesNothingIsClosedAndItsBufferIsFree) {
  start("[timeouts]\nstalled_write_s = 0.5\nidle_s = 0\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 8192});
  TcpPeer idle = connect();
  ASSERT_TRUE(idle.echoes("hello"));
  const std::string name = peer.name();
  std::vector<EchoPump> pumps;
  pumps.emplace_back(peer, PumpPlan{.bytes = 256 * kMib, .seed = 1, .reads = false});
  try {
    send_until_blocked(pumps);
  } catch (const std::system_error&) {
    // It may be closed, and our send refused, while we still look whether it blocks.
  }
  expect_reason(name, "stalled_write");
  daemon().expect_counter("closed_stalled_write", 1);
  daemon().expect_counter("buffered_bytes", 0);
  EXPECT_TRUE(idle.echoes("no timeout of mine"));
}

// A few bytes now and then are progress, long before the kernel calls the socket writable again.
TEST_F(TimeoutsTest, AReaderThatIsSlowButSteadyIsNotClosed) {
  start(
      "[timeouts]\nstalled_write_s = 5\nidle_s = 5\n"
      "[socket]\nsend_buffer_kib = 256\nreceive_buffer_kib = 16\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096, .send_buffer_bytes = 8192});
  const std::string bytes = Pattern(2).slice(0, 700 * kKib);
  Background sender([&](const std::atomic<bool>& /*is_over*/) {
    peer.send_all(bytes);
    peer.half_close();
  });
  std::string received;
  constexpr std::size_t kPiece = 1024;
  constexpr std::size_t kSlowBytes = 80 * kPiece;
  while (received.size() < kSlowBytes) {
    received += peer.receive_exactly(kPiece);
    std::this_thread::sleep_for(std::chrono::milliseconds(80));  // What makes it slow.
  }
  received += peer.receive_to_end().bytes;
  sender.finish();
  EXPECT_TRUE(received == bytes) << received.size() << " bytes";
  daemon().expect_counter("closed_stalled_write", 0);
  daemon().expect_counter("closed_peer_closed", 1);
}

// All of it fits the daemon's send buffer, so that the connection is not even flushing.
TEST_F(TimeoutsTest, AReaderThatIsSlowButSteadyIsNotIdle) {
  start("[timeouts]\nidle_s = 4\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  const std::string bytes = Pattern(3).slice(0, 400 * kKib);
  peer.send_all(bytes);
  constexpr std::size_t kPiece = 4096;
  constexpr std::size_t kSlowBytes = 60 * kPiece;
  std::string received;
  while (received.size() < kSlowBytes) {
    received += peer.receive_exactly(kPiece);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // What makes it slow.
  }
  peer.send_all("!");  // Draws a reset if the connection is closed by now.
  peer.half_close();
  const Tail tail = peer.receive_to_end();
  received += tail.bytes;
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(received == bytes + '!') << received.size() << " bytes";
  daemon().expect_counter("closed_peer_closed", 1);
  daemon().expect_counter("flips_to_write", 0);
}

TEST_F(TimeoutsTest, APeerThatTakesNothingOfWhatTheKernelHoldsIsClosed) {
  start("[timeouts]\nstalled_write_s = 0.5\nidle_s = 0\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  peer.send_all(std::string(400 * kKib, 'x'));
  expect_reason(peer.name(), "stalled_write");
  daemon().expect_counter("flips_to_write", 0);
  daemon().expect_counter("bytes_sent", 400 * kKib);
}

// The daemon has handed everything to the kernel and read the FIN; the peer takes nothing.
TEST_F(TimeoutsTest, APeerThatHalfClosesAndNeverReadsIsClosed) {
  start("[timeouts]\nstalled_write_s = 0.5\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  peer.send_all(std::string(100 * kKib, 'x'));
  peer.half_close();
  expect_reason(peer.name(), "stalled_write");
}

TEST_F(TimeoutsTest, APeerThatTakesNothingIsResetAfterTheIdleTimeWithoutAStalledWriteTimeout) {
  start("[timeouts]\nstalled_write_s = 0\nidle_s = 0.5\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  const std::string name = peer.name();
  std::vector<EchoPump> pumps;
  pumps.emplace_back(peer, PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 5, .reads = false});
  try {
    send_until_blocked(pumps);
  } catch (const std::system_error&) {
    // It may be reset while we still look whether it blocks.
  }
  expect_reason(name, "idle_timeout");
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(TimeoutsTest, AHalfClosedPeerThatTakesNothingIsResetAfterTheIdleTimeToo) {
  start("[timeouts]\nstalled_write_s = 0\nidle_s = 0.5\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  peer.send_all(std::string(100 * kKib, 'x'));
  peer.half_close();
  expect_reason(peer.name(), "idle_timeout");
}

TEST_F(TimeoutsTest, ZeroSwitchesTimeoutsOff) {
  start("[timeouts]\nidle_s = 0\nstalled_write_s = 0\n");
  TcpPeer idle = connect();
  TcpPeer stalled = connect({.receive_buffer_bytes = 4096});
  std::vector<EchoPump> pumps;
  pumps.emplace_back(stalled, PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 4, .reads = false});
  send_until_blocked(pumps);
  EXPECT_FALSE(idle.has_news(Deadline(std::chrono::milliseconds(500))));
  EXPECT_TRUE(idle.echoes("hello"));
  pumps[0].read_now();
  run_pumps(pumps);
  EXPECT_EQ(pumps[0].received(), kMoreThanBuffersHold);
}

}  // namespace
}  // namespace echod::test
