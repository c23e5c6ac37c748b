// SIGTERM: the accept queues are emptied; every connection echoes what its receive queue held and
// then sends a FIN. No connection is reset, and the daemon exits within its deadlines.
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <vector>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"
#include "strace.hpp"

namespace echod::test {
namespace {

class DrainTest : public DaemonTest {
 protected:
  // Stops the frozen daemon with the bytes and connections that the clients have prepared.
  void stop_and_thaw() {
    daemon().signal(SIGTERM);
    daemon().thaw();
  }

  static void wait_for_arrival(const TcpPeer& peer) {
    wait_until("all to be in the receive queue", [&] { return peer.unacknowledged() == 0; });
  }

  void expect_reason(const std::string& peer, const std::string& reason) {
    const std::string line = daemon().wait_for_log("close peer=" + peer + ' ');
    EXPECT_TRUE(line.ends_with(" reason=" + reason)) << line;
  }
};

// Sends and reads until the end of the stream, and checks every byte.
class RestlessClient {
 public:
  explicit RestlessClient(TcpPeer& peer) : peer_(peer) {}

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

  // Returns false if the send buffer is full.
  bool send_some() {
    pattern_.fill(chunk_, sent_);
    const ssize_t count = ::send(peer_.fd(), chunk_.data(), chunk_.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) {
      throw std::system_error(errno, std::system_category(), "our send was refused");
    }
    sent_ += static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
    return count > 0;
  }

  void send_until_blocked() {
    constexpr int kQuietMs = 150;
    pollfd writable{.fd = peer_.fd(), .events = POLLOUT, .revents = 0};
    while (poll(&writable, 1, kQuietMs) > 0) {
      (void)send_some();
    }
  }

  // Returns how the stream ended. Throws on any error: there must be none before the FIN.
  Ending run_to_end() {
    for (;;) {
      pollfd both{.fd = peer_.fd(), .events = POLLIN | POLLOUT, .revents = 0};
      if (poll(&both, 1, Deadline().left_ms()) == 0) {
        throw std::runtime_error("the stream does not end");
      }
      if ((both.revents & (POLLIN | POLLERR)) != 0 && !receive_some()) {
        return ending_;
      }
      if ((both.revents & POLLOUT) != 0) {
        (void)send_some();
      }
    }
  }

 private:
  bool receive_some() {
    std::vector<char> bytes(64 * 1024);
    const ssize_t count = recv(peer_.fd(), bytes.data(), bytes.size(), 0);
    if (count > 0) {
      bytes.resize(static_cast<std::size_t>(count));
      EXPECT_FALSE(pattern_.first_difference(bytes, received_)) << "after byte " << received_;
      received_ += bytes.size();
    }
    ending_ = count == 0 ? Ending::fin : Ending::reset;
    return count > 0 || (count < 0 && errno == EAGAIN);
  }

  TcpPeer& peer_;
  Pattern pattern_{77};
  std::vector<char> chunk_ = std::vector<char>(16 * 1024);
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  Ending ending_ = Ending::fin;
};

TEST_F(DrainTest, AnIdleDaemonStopsAtOnce) {
  start();
  daemon().signal(SIGTERM);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopping because of "), 1U);
  EXPECT_EQ(daemon().count_log("stopped: "), 1U);
  EXPECT_NE(daemon().child().err().find("stopping because of "), std::string::npos);
  EXPECT_NE(daemon().child().err().find("stopped: "), std::string::npos);
}

TEST_F(DrainTest, BytesInTheReceiveQueueAreEchoedBeforeTheFin) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  const std::string bytes = Pattern(1).slice(0, 50 * kKib);
  daemon().freeze();
  peer.send_all(bytes);
  wait_for_arrival(peer);
  stop_and_thaw();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_EQ(tail.bytes, bytes);
  peer.half_close();
  expect_reason(peer.name(), "drained");
  daemon().finish_stopped();
}

// Each FIN takes 10 ms; all of them together take longer than the 6 s after which a worker without
// a turn is stuck.
TEST_F(DrainTest, AWorkerWithSlowProgressIsNotReportedAsStuck) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  constexpr int kClients = 900;
  start("workers = 1\n[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < kClients; ++i) {
    peers.push_back(connect());
  }
  daemon().wait_for_counter("connections", kClients);
  const auto strace =
      attach_strace(daemon().pid(), {"-o", "/dev/null", "-e", "trace=shutdown", "-e",
                                     "inject=shutdown:delay_enter=10000"});  // In microseconds.
  if (!strace) {
    GTEST_SKIP() << "strace may not attach here";
  }
  daemon().signal(SIGTERM);
  for (TcpPeer& peer : peers) {
    ASSERT_EQ(peer.receive_to_end().ending, Ending::fin);
    peer.close();
  }
  daemon().finish_stopped();
}

TEST_F(DrainTest, TheAcceptQueueIsEmptiedBeforeTheListenerCloses) {
  start();
  daemon().freeze();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(connect());
    peers.back().send_all("number " + std::to_string(i));
  }
  stop_and_thaw();
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const Tail tail = peers[i].receive_to_end();
    EXPECT_EQ(tail.bytes, "number " + std::to_string(i));
    EXPECT_EQ(tail.ending, Ending::fin);
    peers[i].close();
  }
  daemon().finish_stopped();
}

TEST_F(DrainTest, ClientsThatWaitAtTheConnectionLimitAreServed) {
  start("[limits]\nmax_connections = 1\n");
  daemon().expect_log("full on ");
  TcpPeer first = connect();
  ASSERT_TRUE(first.echoes("first"));
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_full", 1);
  daemon().signal(SIGTERM);
  for (TcpPeer& peer : waiting) {
    const Tail tail = peer.receive_to_end();
    EXPECT_EQ(tail.bytes, "waiting");
    EXPECT_EQ(tail.ending, Ending::fin);
    peer.close();
  }
  first.close();
  daemon().finish_stopped();
}

// There are more clients than reserved descriptors, so descriptors run out while stopping. That
// must not be logged as an error (finish_stopped() checks it).
TEST_F(DrainTest, WaitingClientsAreServedEvenIfDescriptorsRunOut) {
  start(DaemonOptions{.open_files = 64});
  daemon().expect_log("ulimit -n allows 64 open files");
  daemon().expect_log("full on ");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(connect());
    peers.back().send_all("hello");
  }
  daemon().wait_for_counter("paused_full", 1);
  daemon().signal(SIGTERM);
  (void)daemon().wait_for_log("stopping: clients wait in the backlog of ");
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_to_end().bytes, "hello");
    peer.close();
  }
  daemon().finish_stopped();
}

TEST_F(DrainTest, NewConnectionsAreRefusedWhileOldOnesDrain) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer old = connect();
  ASSERT_TRUE(old.echoes("ready"));
  daemon().signal(SIGTERM);
  EXPECT_EQ(old.receive_to_end().ending, Ending::fin);
  wait_until("connections to be refused", [this] {  // Each worker closes the listener in turn.
    try {
      (void)connect();
      return false;
    } catch (const std::system_error&) {
      return true;
    }
  });
  old.close();
  daemon().finish_stopped();
}

TEST_F(DrainTest, ASlowReaderGetsTheBytesThatItIsOwed) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer peer = connect();
  RestlessClient client(peer);
  wait_until("the daemon to be blocked", [&] {
    client.send_until_blocked();
    return daemon().counter("flips_to_write") >= 1;
  });
  daemon().freeze();
  const std::uint64_t arrived = client.sent() - peer.unacknowledged();
  stop_and_thaw();
  EXPECT_EQ(client.run_to_end(), Ending::fin);
  EXPECT_GE(client.received(), arrived);
  peer.close();
  daemon().finish_stopped();
}

// Reading the tail takes longer than linger_s. The late byte of the client would cause a reset if
// the connection were closed by then.
TEST_F(DrainTest, AReaderOfASlowSteadyPaceGetsItsWholeTail) {
  start("[timeouts]\nlinger_s = 5\ndrain_s = 60\n");
  TcpPeer peer = connect({.receive_buffer_bytes = 4096});
  const std::string bytes = Pattern(5).slice(0, 400'000);
  peer.send_all(bytes);
  daemon().wait_for_counter("bytes_sent", bytes.size());
  daemon().signal(SIGTERM);
  constexpr std::size_t kPiece = 4096;
  constexpr std::size_t kSlowBytes = 60 * kPiece;
  std::string received;
  while (received.size() < kSlowBytes) {
    received += peer.receive_exactly(kPiece);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // Makes it slow.
  }
  peer.send_all("!");
  const Tail tail = peer.receive_to_end();
  received += tail.bytes;
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_TRUE(received == bytes) << received.size() << " bytes";
  peer.half_close();
  expect_reason(peer.name(), "drained");
  daemon().finish_stopped();
}

TEST_F(DrainTest, ReadersGetBytesForWhichNoBufferWasLeft) {
  start(
      "[timeouts]\nlinger_s = 60\ndrain_s = 60\n"
      "[buffers]\nper_connection_kib = 256\ntotal_mib = 1\n"
      "[socket]\nsend_buffer_kib = 32\nreceive_buffer_kib = 128\n");
  constexpr std::size_t kClients = 8;
  std::vector<TcpPeer> peers;
  std::vector<RestlessClient> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    peers.push_back(connect({.receive_buffer_bytes = 8192, .send_buffer_bytes = 32 * kKib}));
  }
  for (TcpPeer& peer : peers) {
    clients.emplace_back(peer);
  }
  wait_until("the daemon to be blocked and out of buffers", [&] {
    for (RestlessClient& client : clients) {
      client.send_until_blocked();
    }
    return daemon().counter("flips_to_write") >= kClients &&
           daemon().counter("unbuffered_reads") >= 1;
  });
  daemon().freeze();
  std::vector<std::uint64_t> arrived;
  for (std::size_t i = 0; i < kClients; ++i) {
    arrived.push_back(clients[i].sent() - peers[i].unacknowledged());
  }
  stop_and_thaw();
  for (std::size_t i = 0; i < kClients; ++i) {
    EXPECT_EQ(clients[i].run_to_end(), Ending::fin);
    EXPECT_GE(clients[i].received(), arrived[i]);
    peers[i].close();
  }
  daemon().finish_stopped();
}

TEST_F(DrainTest, AClientThatNeverStopsSendingGetsItsBytesAndAFin) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  RestlessClient client(peer);
  daemon().freeze();
  for (int i = 0; i < 4; ++i) {
    (void)client.send_some();
  }
  wait_for_arrival(peer);
  const std::uint64_t arrived = client.sent();
  stop_and_thaw();
  EXPECT_EQ(client.run_to_end(), Ending::fin);
  EXPECT_GE(client.received(), arrived);
  for (int i = 0; i < 10; ++i) {
    (void)client.send_some();  // Must be discarded, without a reset.
  }
  peer.half_close();
  expect_reason(peer.name(), "drained");
  daemon().finish_stopped();
}

TEST_F(DrainTest, AClientThatHalfClosedBeforeTheSignalGetsItsBytes) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  daemon().freeze();
  peer.send_all("the tail");
  peer.half_close();
  stop_and_thaw();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.bytes, "the tail");
  EXPECT_EQ(tail.ending, Ending::fin);
  daemon().finish_stopped();
}

TEST_F(DrainTest, AClientThatDoesNotCloseIsClosedAfterTheLingerTime) {
  start("[timeouts]\nlinger_s = 0.3\ndrain_s = 60\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  daemon().signal(SIGTERM);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "linger_timeout");
  daemon().finish_stopped();
}

TEST_F(DrainTest, AResetAfterTheFinClosesTheConnection) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  const std::string name = peer.name();
  daemon().signal(SIGTERM);
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.reset();
  const std::string line = daemon().wait_for_log("close peer=" + name + ' ');
  EXPECT_NE(line.find(" reason=reset"), std::string::npos) << line;
  daemon().finish_stopped();
}

TEST_F(DrainTest, AClientThatDoesNotReadIsClosedAtTheDrainDeadline) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 0.5\n");
  TcpPeer peer = connect(kLateReader);
  send_until_blocked(peer);
  daemon().signal(SIGTERM);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "drain_deadline");
  daemon().finish_stopped();
}

TEST_F(DrainTest, ASecondSignalASecondLaterClosesAllConnections) {
  start("[timeouts]\nlinger_s = 600\ndrain_s = 600\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  daemon().signal(SIGTERM);
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(1100));  // Earlier it would count as the same stop.
  daemon().signal(SIGINT);
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "forced");
  daemon().finish_stopped();
}

// timeout(1) signals its child and then the child's process group.
TEST_F(DrainTest, TwoStopSignalsAtOnceAreOneStop) {
  start("[timeouts]\nlinger_s = 600\ndrain_s = 600\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("ready"));
  daemon().freeze();
  daemon().signal(SIGTERM);
  daemon().signal(SIGINT);
  daemon().thaw();
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.half_close();
  expect_reason(peer.name(), "drained");
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopping because of "), 1U);
}

TEST_F(DrainTest, AReloadedDrainDeadlineAppliesAtOnce) {
  start("[timeouts]\nlinger_s = 600\ndrain_s = 600\n");
  TcpPeer peer = connect(kLateReader);
  send_until_blocked(peer);
  daemon().signal(SIGTERM);
  (void)daemon().wait_for_log("stopping because of ");
  daemon().reload("[timeouts]\nlinger_s = 600\ndrain_s = 0.5\n");
  EXPECT_TRUE(daemon().wait(Deadline(kAtOnce)));
  expect_reason(peer.name(), "drain_deadline");
  daemon().finish_stopped();
}

TEST_F(DrainTest, CountersAndReasonsOfADrainAreInTheLog) {
  start("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  {
    TcpPeer peer = connect();
    ASSERT_TRUE(peer.echoes("hello"));
    daemon().signal(SIGTERM);
    (void)peer.receive_to_end();
  }
  daemon().finish_stopped();
  const std::string line = daemon().wait_for_log("counters: ");
  for (const std::string part : {" accepted=1 ", " bytes_received=5 ", " bytes_sent=5 ",
                                 " closed_drained=1 ", " connections=0 "}) {
    EXPECT_NE((line + ' ').find(part), std::string::npos) << part << "is not in " << line;
  }
}

}  // namespace
}  // namespace echod::test
