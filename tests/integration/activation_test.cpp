// Socket activation: echod serves passed listening sockets, and they stay open when it stops.
#include <csignal>

#include "background.hpp"
#include "daemon_test.hpp"
#include "passed_listener.hpp"

namespace echod::test {
namespace {

constexpr int kConfiguration = 78;

class ActivationTest : public DaemonTest {
 protected:
  void start_with(const PassedListener& listener, const std::string& more = "") {
    start(DaemonOptions{.config = listener.config(more), .passes = {listener.fd()}});
  }
  // Runs echod with a configuration that it refuses.
  [[nodiscard]] static ChildResult refuse(const std::string& config, const std::vector<int>& passes,
                                          const std::string& names) {
    const TemporaryDirectory directory;
    write_file(directory.file("echod.toml"), config);
    return run(
        {.arguments = {ECHOD_BINARY, "--config", directory.file("echod.toml"), "--log-file", ""},
         .environment = {"LISTEN_FDNAMES=" + names},
         .passes = passes});
  }
};

TEST_F(ActivationTest, EchoesOnAPassedSocket) {
  const PassedListener listener;
  start_with(listener);
  EXPECT_EQ(daemon().port(), listener.port());
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(ActivationTest, TheConfiguredBacklogIsSet) {
  const PassedListener listener;
  ASSERT_EQ(listener.backlog(), PassedListener::kBacklog);
  start_with(listener, "backlog = 100\n");
  EXPECT_EQ(listener.backlog(), 100);
}

TEST_F(ActivationTest, SeveralSocketsAreMatchedByAddress) {
  const PassedListener first;
  const PassedListener second;
  start(DaemonOptions{.config = first.config() + second.config(),
                      .passes = {second.fd(), first.fd()}});
  for (const PassedListener* listener : {&first, &second}) {
    TcpPeer peer("127.0.0.1", listener->port());
    EXPECT_TRUE(peer.echoes("hello"));
  }
}

TEST_F(ActivationTest, ARestartRefusesNoConnection) {
  const PassedListener listener;
  start_with(listener);
  std::atomic<int> served = 0;
  std::atomic<int> cut = 0;
  Background clients([&](const std::atomic<bool>& is_over) {
    while (!is_over) {
      TcpPeer peer("127.0.0.1", listener.port());  // Throws if it is refused.
      peer.send_all("hello");
      peer.half_close();
      const Tail tail = peer.receive_to_end();
      EXPECT_EQ(tail.ending, Ending::fin);
      // A client that was accepted just before the stop and had sent nothing gets a FIN only.
      EXPECT_TRUE(tail.bytes == "hello" || tail.bytes.empty()) << tail.bytes;
      ++(tail.bytes.empty() ? cut : served);
    }
  });
  for (int i = 0; i < 3; ++i) {
    const int before = served;
    wait_until("some clients to be served", [&] { return served > before + 20; });
    daemon().signal(SIGTERM);
    daemon().finish_stopped();
    start_with(listener);
  }
  clients.finish();
  EXPECT_GT(served, 60);
  EXPECT_LE(cut, 3) << "at most one client at each stop";
}

TEST_F(ActivationTest, AClientInTheQueueAtAStopIsServedByTheNextEchod) {
  const PassedListener listener;
  start(
      DaemonOptions{.config = "workers = 1\n" + listener.config("[limits]\nmax_connections = 1\n"),
                    .passes = {listener.fd()}});
  daemon().expect_log("full on 127.0.0.1");
  TcpPeer served("127.0.0.1", listener.port());
  ASSERT_TRUE(served.echoes("hello"));
  TcpPeer waits("127.0.0.1", listener.port());
  (void)daemon().wait_for_log("full on");
  daemon().signal(SIGTERM);
  EXPECT_EQ(served.receive_to_end().ending, Ending::fin);  // The worker has begun to drain.
  served.half_close();
  daemon().finish_stopped();
  start_with(listener);
  EXPECT_TRUE(waits.echoes("hello"));
}

TEST_F(ActivationTest, SocketsPassedToAnotherProcessAreIgnored) {
  start(DaemonOptions{.environment = {"LISTEN_FDS=1", "LISTEN_PID=1"}});
  EXPECT_TRUE(connect().echoes("hello"));
}

TEST_F(ActivationTest, AReloadThatNamesOtherSocketsIsRefused) {
  const PassedListener listener;
  const PassedListener other;
  start_with(listener);
  daemon().expect_log("is not among the passed sockets");
  daemon().expect_log("reload: refused");
  daemon().reload(other.config());
  (void)daemon().wait_for_log("reload: refused");
  EXPECT_TRUE(TcpPeer("127.0.0.1", listener.port()).echoes("hello"));
}

TEST_F(ActivationTest, AWrongNumberOfNamesIsAnError) {
  const PassedListener passed;
  const ChildResult result = refuse(passed.config(), {passed.fd()}, "echo:more");
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(
      result.err,
      "echod: socket activation: LISTEN_FDS, LISTEN_PID or LISTEN_FDNAMES is invalid: Invalid "
      "argument\n");
}

TEST_F(ActivationTest, AConfiguredListenerThatWasNotPassedIsAnError) {
  const PassedListener passed;
  const PassedListener other;
  const ChildResult result = refuse(other.config(), {passed.fd()}, "echo");
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(result.err,
            "echod: socket activation: [[listen]] 127.0.0.1:" + std::to_string(other.port()) +
                " is not among the passed sockets: 127.0.0.1:" + std::to_string(passed.port()) +
                " (echo); change [[listen]], or ListenStream= and ListenDatagram= of the "
                "socket unit\n");
}

TEST_F(ActivationTest, APassedSocketThatIsNotConfiguredIsAnError) {
  const PassedListener first;
  const PassedListener second;
  const ChildResult result = refuse(first.config(), {first.fd(), second.fd()}, "echo:more");
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(
      result.err,
      "echod: socket activation: no [[listen]] is for: 127.0.0.1:" + std::to_string(second.port()) +
          " (more); change [[listen]], or ListenStream= and ListenDatagram= of the "
          "socket unit\n");
}

TEST_F(ActivationTest, AUdpSocketForATcpListenerIsAnError) {
  const PassedListener datagrams(SOCK_DGRAM);
  const ChildResult result = refuse(datagrams.config(), {datagrams.fd()}, "udp");
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(
      result.err,
      "echod: socket activation: [[listen]] 127.0.0.1:" + std::to_string(datagrams.port()) +
          " is not among the passed sockets: udp 127.0.0.1:" + std::to_string(datagrams.port()) +
          " (udp); change [[listen]], or ListenStream= and ListenDatagram= of the socket "
          "unit\n");
}

TEST_F(ActivationTest, AnErrorIsOneLineForAnyNameOfASocket) {
  const auto unbound = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const ChildResult result = refuse(PassedListener().config(), {unbound}, "two\nlines\x1b[2J");
  (void)close(unbound);
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(result.err,
            "echod: socket activation: two\\u000Alines\\u001B[2J is not a listening TCP or UNIX "
            "socket or a bound UDP socket; its unit needs ListenStream= with a port or path, or "
            "ListenDatagram= with a port, Accept=no, and no SocketProtocol=\n");
}

}  // namespace
}  // namespace echod::test
