// Each counter counts what its name says and nothing else: every case makes one kind of thing
// happen and says by how much every counter grows. counters_test of the unit tests has all names.
#include <csignal>
#include <map>
#include <sstream>
#include <utility>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "sizes.hpp"
#include "strace.hpp"

namespace echod::test {
namespace {

using Values = std::map<std::string, std::int64_t>;

constexpr PeerOptions kSmallPeer{.receive_buffer_bytes = 8192, .send_buffer_bytes = 8192};
const std::string kSmallSockets = "[socket]\nreceive_buffer_kib = 16\nsend_buffer_kib = 16\n";
// One worker leaves no client to another.
const std::string kOneWorker = "workers = 1\n[log]\nconnection_lines_per_second = 0\n";

class EveryCounterTest : public DaemonTest {
 protected:
  [[nodiscard]] Values values() {
    Values values;
    for (const auto& [name, value] : daemon().counters()) {
      values[name] = static_cast<std::int64_t>(value);
    }
    return values;
  }
  // From what was there before to now. It may take a moment: a client has its echo before it is
  // counted.
  void expect_growth(const Values& before, const Values& expected) {
    Values grown;
    (void)eventually(
        [&] {
          grown.clear();
          for (const auto& [name, value] : values()) {
            if (value != before.at(name)) {
              grown[name] = value - before.at(name);
            }
          }
          return grown == expected;
        },
        Deadline(kPatience / 4));
    EXPECT_EQ(grown, expected);
  }
  // One system call of the daemon fails, the next of this name, while `action` goes on.
  template <typename Action>
  void with_failure(const std::string& call, const std::string& error, Action action) {
    const auto strace =
        attach_strace(daemon().pid(), {"-o", "/dev/null", "-e", "trace=" + call, "-e",
                                       "inject=" + call + ":error=" + error + ":when=1"});
    ASSERT_TRUE(strace) << "strace may not attach";
    action();
  }
  // Stops the daemon; what it counted is in its last line.
  [[nodiscard]] Values values_at_the_end() {
    daemon().finish_stopped();
    std::istringstream pairs(daemon().wait_for_log("counters: "));
    Values last;
    for (std::string pair; pairs >> pair;) {
      if (const std::size_t equals = pair.find('='); equals != std::string::npos) {
        last[pair.substr(0, equals)] = std::stoll(pair.substr(equals + 1));
      }
    }
    return last;
  }
};

TEST_F(EveryCounterTest, OfConnectionsAndTheirBytes) {
  start(kOneWorker);
  Values before = values();
  TcpPeer peer = connect();
  expect_growth(before,
                {{"accepted", 1}, {"connections", 1}, {"connections_of_fullest_worker", 1}});

  before = values();
  EXPECT_TRUE(peer.echoes("seven b"));
  EXPECT_TRUE(peer.echoes("and ten b."));
  expect_growth(before, {{"echoes", 2}, {"bytes_received", 17}, {"bytes_sent", 17}});

  before = values();
  peer.close();
  expect_growth(
      before,
      {{"closed_peer_closed", 1}, {"connections", -1}, {"connections_of_fullest_worker", -1}});

  before = values();
  connect().close();
  expect_growth(before, {{"accepted", 1}, {"empty_connections", 1}, {"closed_peer_closed", 1}});

  before = values();
  peer = connect();
  EXPECT_TRUE(peer.echoes("x"));
  peer.reset();
  expect_growth(before, {{"accepted", 1},
                         {"echoes", 1},
                         {"bytes_received", 1},
                         {"bytes_sent", 1},
                         {"closed_reset", 1}});
}

TEST_F(EveryCounterTest, OfTurnsAndBuffers) {
  start(kOneWorker + kSmallSockets +
        "[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n[turn]\nreads = 1\n");
  TcpPeer stalled = connect(kSmallPeer);
  send_until_blocked(stalled);
  Values now = values();
  EXPECT_GE(now["flips_to_write"], 1);
  EXPECT_EQ(now["buffered_bytes"], 1024 * 1024);
  EXPECT_GT(now["bytes_received"], now["bytes_sent"]);
  EXPECT_EQ(now["unbuffered_reads"], 0);

  Values before = values();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  expect_growth(before, {{"accepted", 1},
                         {"connections", 1},
                         {"connections_of_fullest_worker", 1},
                         {"echoes", 1},
                         {"bytes_received", 5},
                         {"bytes_sent", 5},
                         {"unbuffered_reads", 1}});
}

TEST_F(EveryCounterTest, OfTurnsThatAreOver) {
  start(kOneWorker + "[buffers]\nper_connection_kib = 4\n[turn]\nreads = 1\n");
  const Values at_start = values();
  TcpPeer peer = connect();
  expect_growth(at_start,
                {{"accepted", 1}, {"connections", 1}, {"connections_of_fullest_worker", 1}});
  const Values before = values();
  const std::string bytes(2 * 4 * kKib + 100, 'x');
  daemon().freeze();
  peer.send_all(bytes);
  wait_until("all to have arrived", [&] { return peer.unacknowledged() == 0; });
  daemon().thaw();
  EXPECT_EQ(peer.receive_exactly(bytes.size()), bytes);
  const auto size = static_cast<std::int64_t>(bytes.size());
  expect_growth(
      before,
      {{"echoes", 3}, {"bytes_received", size}, {"bytes_sent", size}, {"turns_over_budget", 2}});
}

TEST_F(EveryCounterTest, OfTimeouts) {
  start(kOneWorker + kSmallSockets + "[timeouts]\nidle_s = 2\nstalled_write_s = 0\n");
  TcpPeer idle = connect();
  EXPECT_TRUE(idle.echoes("hello"));
  EXPECT_EQ(idle.receive_to_end().ending, Ending::fin);
  Values now = values();
  EXPECT_EQ(now["closed_idle_timeout"], 1);
  EXPECT_EQ(now["closed_stalled_write"], 0);
  daemon().reload(kOneWorker + kSmallSockets + "[timeouts]\nidle_s = 0\nstalled_write_s = 0.3\n");
  (void)daemon().wait_for_err("reload: applied");
  TcpPeer stalled = connect(kSmallPeer);
  try {
    send_until_blocked(stalled);
  } catch (const std::exception&) {
    // It may be closed while its sends still go on.
  }
  (void)daemon().wait_for_log(" reason=stalled_write");
  now = values();
  EXPECT_EQ(now["closed_idle_timeout"], 1);
  EXPECT_EQ(now["closed_stalled_write"], 1);
}

TEST_F(EveryCounterTest, OfAcceptingThatStops) {
  start(kOneWorker + "[limits]\nmax_connections = 1\n");
  daemon().expect_log("full on ");
  const Values before = values();
  TcpPeer peer = connect();
  const TcpPeer waiting = connect();
  const Values expected{{"accepted", 1},
                        {"connections", 1},
                        {"connections_of_fullest_worker", 1},
                        {"paused_full", 1}};
  expect_growth(before, expected);
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(EveryCounterTest, OfClientsThatAreLeftToAnotherWorker) {
  start("workers = 2\n[log]\nconnection_lines_per_second = 0\n");
  std::vector<TcpPeer> peers;
  wait_until("a worker to leave a client to the other", [&] {
    peers.push_back(connect());
    EXPECT_TRUE(peers.back().echoes("hello"));
    return daemon().counter("accepts_declined") > 0;
  });
  const Values now = values();
  EXPECT_EQ(now.at("workers"), 2);
  EXPECT_EQ(now.at("accepted"), static_cast<std::int64_t>(peers.size()));
}

TEST_F(EveryCounterTest, OfReloadsAndLogLines) {
  start("workers = 1\n[log]\nconnection_lines_per_second = 1\n");
  daemon().expect_log("reload: refused");
  daemon().expect_log("nonsense");
  daemon().allow_log("lines about connections were suppressed");
  Values before = values();
  daemon().reload("workers = 1\n");
  expect_growth(before, {{"reloads", 1}});
  before = values();
  daemon().reload("nonsense = 1\n");
  expect_growth(before, {{"reloads_refused", 1}});
  daemon().reload("workers = 1\n[log]\nconnection_lines_per_second = 1\n");
  (void)daemon().wait_for_err("reload: applied", 2);
  wait_until("a line to be suppressed", [this] {
    connect().close();
    return daemon().counter("connection_lines_suppressed") > 0;
  });
}

TEST_F(EveryCounterTest, OfErrorsOfSystemCalls) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  start(kOneWorker);
  daemon().expect_log("was lost before it was accepted");
  daemon().expect_log("cannot add the connection from ");
  daemon().expect_log("cannot accept on ");
  Values before = values();
  with_failure("accept4", "ECONNABORTED", [this] { EXPECT_TRUE(connect().echoes("hello")); });
  expect_growth(before, {{"accepted", 1},
                         {"echoes", 1},
                         {"bytes_received", 5},
                         {"bytes_sent", 5},
                         {"accept_errors", 1},
                         {"closed_peer_closed", 1}});
  before = values();
  with_failure("accept4", "EMFILE", [this] { EXPECT_TRUE(connect().echoes("hello")); });
  expect_growth(before, {{"accepted", 1},
                         {"echoes", 1},
                         {"bytes_received", 5},
                         {"bytes_sent", 5},
                         {"paused_resources", 1},
                         {"closed_peer_closed", 1}});
  before = values();
  with_failure("epoll_ctl", "ENOSPC", [this] { (void)connect().receive_to_end(); });
  expect_growth(before, {{"accepted", 1},
                         {"register_failures", 1},
                         {"empty_connections", 1},
                         {"closed_io_error", 1}});
  for (const auto& [error, counter] :
       {std::pair("ETIMEDOUT", "closed_timed_out"), std::pair("EHOSTUNREACH", "closed_io_error")}) {
    before = values();
    TcpPeer peer = connect();
    with_failure("recvfrom", error, [&peer] {
      peer.send_all("hello");
      (void)peer.receive_to_end();
    });
    expect_growth(before, {{"accepted", 1}, {"empty_connections", 1}, {counter, 1}});
  }
}

TEST_F(EveryCounterTest, OfLogLinesThatAreLost) {
  start(
      DaemonOptions{.config = "workers = 1\n[log]\nfile = \"/dev/full\"\nstderr_level = \"info\"\n",
                    .has_log_argument = false});
  daemon().expect_log("cannot write the log file");
  std::string line;
  std::size_t asked = 0;
  wait_until("a line that could not be written to be counted", [&] {
    daemon().signal(SIGUSR2);
    line = daemon().wait_for_err("counters: ", ++asked);
    return line.find(" log_write_failures=0 ") == std::string::npos;
  });
  EXPECT_NE(line.find(" log_lines_dropped=0 "), std::string::npos) << line;
}

TEST_F(EveryCounterTest, OfADrain) {
  start("workers = 1\n[timeouts]\nlinger_s = 3\n");
  TcpPeer polite = connect();
  TcpPeer late = connect();
  EXPECT_TRUE(polite.echoes("hello"));
  EXPECT_TRUE(late.echoes("hello"));
  daemon().signal(SIGTERM);
  EXPECT_EQ(late.receive_to_end().ending, Ending::fin);
  late.send_all("too late");
  EXPECT_EQ(polite.receive_to_end().ending, Ending::fin);
  polite.close();
  Values last = values_at_the_end();
  EXPECT_EQ(last["closed_drained"], 1);
  EXPECT_EQ(last["closed_linger_timeout"], 1);
  EXPECT_EQ(last["bytes_discarded"], 8);
  EXPECT_EQ(last["bytes_received"], 10);
}

TEST_F(EveryCounterTest, OfADrainThatIsCutShort) {
  start("workers = 1\n[timeouts]\nlinger_s = 600\ndrain_s = 0.3\n");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().signal(SIGTERM);
  EXPECT_EQ(values_at_the_end()["closed_drain_deadline"], 1);
}

}  // namespace
}  // namespace echod::test
