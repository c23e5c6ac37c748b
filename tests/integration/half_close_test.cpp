// After the client's FIN everything still owed is sent, then our FIN.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"

namespace echod::test {
namespace {

class HalfCloseTest : public DaemonTest {
 protected:
  // Sends `bytes` and the FIN so that the last of the bytes and the FIN travel in one segment.
  static void send_with_fin(TcpPeer& peer, std::string_view bytes) {
    const int on = 1;
    ASSERT_EQ(setsockopt(peer.fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof on), 0);
    peer.send_all(bytes);
    peer.half_close();
  }

  void expect_echo_then_fin(TcpPeer& peer, std::string_view bytes) {
    const Tail tail = peer.receive_to_end();
    EXPECT_EQ(tail.ending, Ending::fin);
    EXPECT_EQ(tail.bytes, bytes);
    const std::string size = std::to_string(bytes.size());
    const std::string line = daemon().wait_for_log("close peer=" + peer.name() + ' ');
    EXPECT_NE(line.find(" in=" + size + " out=" + size + ' '), std::string::npos) << line;
    EXPECT_TRUE(line.ends_with(" reason=peer_closed")) << line;
  }
};

TEST_F(HalfCloseTest, AClientThatSendsNothingGetsFin) {
  start();
  TcpPeer peer = connect();
  peer.half_close();
  expect_echo_then_fin(peer, "");
  daemon().expect_counter("empty_connections", 1);
  daemon().expect_counter("closed_peer_closed", 1);
}

TEST_F(HalfCloseTest, OneByteComesBackBeforeTheFin) {
  start();
  TcpPeer peer = connect();
  peer.send_all("x");
  peer.half_close();
  expect_echo_then_fin(peer, "x");
  daemon().expect_counter("empty_connections", 0);
}

TEST_F(HalfCloseTest, AFinInTheSegmentOfTheDataLosesNothing) {
  start();
  TcpPeer peer = connect();
  send_with_fin(peer, "hello");
  expect_echo_then_fin(peer, "hello");
}

TEST_F(HalfCloseTest, AClientThatWasGoneBeforeItWasAcceptedGetsItsBytes) {
  start();
  daemon().freeze();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(connect());
    send_with_fin(peers.back(), "hello " + std::to_string(i));
  }
  daemon().thaw();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    expect_echo_then_fin(peers[i], "hello " + std::to_string(i));
  }
}

// The edge of the FIN comes with the data, and is used up by the turn that ends on its budget.
TEST_F(HalfCloseTest, AFinThatArrivedBeforeTheBudgetWasSpentIsNotForgotten) {
  start("[turn]\nbytes_kib = 1\nreads = 1\n[buffers]\nper_connection_kib = 4\n");
  for (const std::size_t size : {kKib - 1, kKib, 4 * kKib, 4 * kKib + 1, 40 * kKib}) {
    daemon().freeze();
    TcpPeer peer = connect();
    const std::string bytes = Pattern(size).slice(0, size);
    send_with_fin(peer, bytes);
    daemon().thaw();
    expect_echo_then_fin(peer, bytes);
  }
}

TEST_F(HalfCloseTest, SixtyFourKibComeBackBeforeTheFin) {
  start();
  TcpPeer peer = connect();
  const std::string bytes = Pattern(1).slice(0, 64 * kKib);
  send_with_fin(peer, bytes);
  expect_echo_then_fin(peer, bytes);
}

TEST_F(HalfCloseTest, AReaderThatStartsLateGetsEverythingBeforeTheFin) {
  start();
  TcpPeer peer = connect(kLateReader);
  std::vector<EchoPump> pumps;
  pumps.emplace_back(peer, PumpPlan{.bytes = kMoreThanBuffersHold, .seed = 5, .reads = false});
  send_until_blocked(pumps);
  daemon().wait_for_counter("flips_to_write", 1);
  pumps[0].read_now();
  run_pumps(pumps);
  EXPECT_EQ(pumps[0].received(), kMoreThanBuffersHold);
}

// Owed bytes, then the FIN, then a reader: the FIN arrives while only EPOLLOUT is registered.
TEST_F(HalfCloseTest, AFinThatArrivesWhileBytesAreOwedIsAnsweredAfterThem) {
  start("[socket]\nsend_buffer_kib = 16\n[buffers]\nper_connection_kib = 16\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  std::string bytes = Pattern(6).slice(0, 100 * kKib);
  peer.send_all(bytes);
  peer.half_close();
  daemon().wait_for_counter("flips_to_write", 1);
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_EQ(tail.bytes, bytes);
}

}  // namespace
}  // namespace echod::test
