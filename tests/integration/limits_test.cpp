// Bounds on connections and descriptors: who comes too late waits in the backlog, and nothing
// spins.
#include <sys/resource.h>
#include <sysexits.h>

#include <algorithm>
#include <csignal>
#include <deque>
#include <filesystem>

#include "daemon_test.hpp"

namespace echod::test {
namespace {

class LimitsTest : public DaemonTest {
 protected:
  // "limits: 190 connections, 256 open files, ...".
  std::size_t connections_in_force() { return number_after("limits: "); }
  // The number that follows these words on standard error.
  std::size_t number_after(const std::string& words) {
    const std::string line = daemon().wait_for_err(words);
    return std::stoul(line.substr(line.find(words) + words.size()));
  }

  // Lowers the limit of the running daemon to the descriptors it has (or a few more, if their
  // numbers have gaps).
  void leave_no_descriptors() {
    int highest = 0;
    const std::filesystem::path folder = "/proc/" + std::to_string(daemon().pid()) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      highest = std::max(highest, std::stoi(entry.path().filename()));
    }
    ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_NOFILE, nullptr, &limit_before_), 0);
    const rlimit low{.rlim_cur = static_cast<rlim_t>(highest) + 1,
                     .rlim_max = limit_before_.rlim_max};
    ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_NOFILE, &low, nullptr), 0);
  }

  void give_descriptors_back() {
    ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_NOFILE, &limit_before_, nullptr), 0);
  }

  void expect_little_cpu_for_a_second() {
    const auto before = daemon().cpu_time();
    std::this_thread::sleep_for(std::chrono::seconds(1));  // The time that is measured.
    EXPECT_LT(daemon().cpu_time() - before, std::chrono::milliseconds(50)) << "5 % of a core";
  }

  rlimit limit_before_{};
};

TEST_F(LimitsTest, ClientsBeyondMaxConnectionsWaitAndAreServedWhenOneCloses) {
  start("[limits]\nmax_connections = 3\n");
  daemon().expect_log("full on ");
  std::vector<TcpPeer> served;
  for (int i = 0; i < 3; ++i) {
    served.push_back(connect());
    ASSERT_TRUE(served.back().echoes("served"));
  }
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_full", 1);
  daemon().expect_counter("accepted", 3);
  EXPECT_FALSE(waiting.front().has_news());
  for (TcpPeer& peer : waiting) {
    served.erase(served.begin());
    EXPECT_TRUE(peer.has_news(Deadline(kAtOnce)));
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
    daemon().expect_counter("connections", 3);
    served.push_back(std::move(peer));
  }
  daemon().expect_counter("accepted", 8);
}

// The first listener always has clients in its queue; the second has one, and that is served after
// no more of the others than had their turn before it waited: each worker may have one.
TEST_F(LimitsTest, AListenerThatIsAlwaysBusyDoesNotKeepAnotherFromItsTurn) {
  start(
      "workers = 2\n"
      "[limits]\nmax_connections = 1\n"
      "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n"
      "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  daemon().expect_log("full on ");
  const auto connect_to = [this](std::size_t listener) {
    TcpPeer peer("127.0.0.1", daemon().listeners()[listener].port);
    peer.send_all("hello");
    return peer;
  };
  std::deque<TcpPeer> busy;
  busy.push_back(connect_to(0));
  ASSERT_EQ(busy.front().receive_exactly(5), "hello");
  busy.push_back(connect_to(0));
  daemon().wait_for_counter("paused_full", 1);
  TcpPeer other = connect_to(1);

  constexpr int kRounds = 20;
  int served = 0;
  for (; served < kRounds && !other.has_news(); ++served) {
    busy.push_back(connect_to(0));
    busy.pop_front();
    wait_until("somebody's turn", [&] { return busy.front().has_news() || other.has_news(); });
  }
  ASSERT_LE(served, 3);
  EXPECT_EQ(other.receive_exactly(5), "hello");
}

TEST_F(LimitsTest, AsManyConnectionsAreServedAsTheLimitOfDescriptorsAllows) {
  start(DaemonOptions{.open_files = 256});
  daemon().expect_log("full on ");
  const std::size_t allowed = connections_in_force();
  EXPECT_GT(allowed, 200U) << "the reserve is too large";
  EXPECT_LT(allowed, 256U);
  std::vector<TcpPeer> peers;
  for (std::size_t i = 0; i < allowed; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("served")) << i;
  }
  TcpPeer one_more = connect();
  one_more.send_all("waiting");
  daemon().wait_for_counter("paused_full", 1);
  EXPECT_FALSE(one_more.has_news());
  daemon().expect_counter("paused_resources", 0);
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("still served"));
  }
  peers.pop_back();
  EXPECT_EQ(one_more.receive_exactly(7), "waiting");
}

// "ulimit -n allows 12 open files, but serving one connection needs 36; ...".
TEST_F(LimitsTest, AStartThatCouldServeNobodyIsRefusedWithTheNumberThatWouldDo) {
  const auto start_with = [](rlim_t open_files) {
    return run({.arguments = {ECHOD_BINARY, "--config", "/dev/null", "--log-file", "", "--address",
                              "127.0.0.1", "--port", "0", "--quit-on-stdin"},
                .limits = {{RLIMIT_NOFILE, {open_files, open_files}}}});
  };
  const ChildResult few = start_with(12);
  EXPECT_EQ(few.exit_code, EX_CONFIG);
  const std::string words = "serving one connection needs ";
  ASSERT_NE(few.err.find(words), std::string::npos) << few.err;
  EXPECT_EQ(lines_of(few.err).size(), 1U) << few.err;
  const rlim_t enough = std::stoul(few.err.substr(few.err.find(words) + words.size()));
  EXPECT_EQ(start_with(enough - 1).exit_code, EX_CONFIG);
  const ChildResult started = start_with(enough);
  EXPECT_EQ(started.exit_code, 0) << started.err;
  EXPECT_NE(started.err.find("limits: 1 connections"), std::string::npos) << started.err;
}

TEST_F(LimitsTest, EachPipeTakesTwoDescriptorsFromTheConnections) {
  start(DaemonOptions{.config = "[buffers]\nsplice = false\n", .open_files = 1024});
  const std::size_t without_pipes = connections_in_force();
  daemon().finish();
  start(DaemonOptions{.open_files = 1024});
  const std::size_t pipes = number_after("splice: at most ");
  EXPECT_GT(pipes, 0U);
  EXPECT_EQ(connections_in_force(), without_pipes - 2 * pipes);
}

// A supervisor that leaves descriptors open in echod: each is one connection less.
TEST_F(LimitsTest, DescriptorsThatWereInheritedAreInTheReserve) {
  const std::string copying = "[buffers]\nsplice = false\n";  // Pipes have a share of what is left.
  start(DaemonOptions{.config = copying, .open_files = 256});
  const std::size_t allowed = connections_in_force();
  daemon().finish();
  const TemporaryDirectory directory;
  write_file(directory.file("echod.toml"), copying);
  const std::string script =
      "for i in $(seq 60); do eval \"exec {fd}</dev/null\"; done; exec \"$@\"";
  ChildProcess crowded({.arguments = {"bash", "-c", script, "bash", ECHOD_BINARY, "--config",
                                      directory.file("echod.toml"), "--log-file", "", "--address",
                                      "127.0.0.1", "--port", "0"},
                        .limits = {{RLIMIT_NOFILE, {256, 256}}}});
  const std::string words = "limits: " + std::to_string(allowed - 60) + " connections";
  EXPECT_TRUE(crowded.wait_for_err([&words](const std::string& err) {
    return err.find(words) != std::string::npos;
  })) << words
      << crowded.err();
  crowded.signal(SIGTERM);
  EXPECT_EQ(crowded.wait(), 0);
}

// Where people look: on the terminal, and in the journal.
TEST_F(LimitsTest, ThatNoMoreAreServedShowsOnStderrAtEveryLevel) {
  start(DaemonOptions{.config = "[limits]\nmax_connections = 1\n",
                      .arguments = {"--stderr-level", "off"}});
  daemon().expect_log("full on ");
  TcpPeer first = connect();
  ASSERT_TRUE(first.echoes("hello"));
  const TcpPeer second = connect();
  (void)daemon().wait_for_err("full on ");
}

TEST_F(LimitsTest, TwoHundredClientsOnSixtyFourDescriptorsAreServedInTurnWithoutASpin) {
  start(DaemonOptions{.open_files = 64});
  daemon().expect_log("ulimit -n allows 64 open files");
  daemon().expect_log("full on ");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 200; ++i) {
    peers.push_back(connect());
    peers.back().send_all("hello");
  }
  ASSERT_EQ(peers.front().receive_exactly(5), "hello");
  daemon().wait_for_counter("paused_full", 1);
  expect_little_cpu_for_a_second();
  peers.front().close();
  for (std::size_t i = 1; i < peers.size(); ++i) {
    ASSERT_EQ(peers[i].receive_exactly(5), "hello") << i;
    peers[i].close();
  }
}

// Descriptors run out below the daemon's own limit: somebody lowered it, or it leaks elsewhere.
TEST_F(LimitsTest, WhenDescriptorsRunOutAcceptingPausesAndResumesOnAClose) {
  start(DaemonOptions{.config = "[limits]\nopen_files = 256\n",
                      .arguments = {"--stderr-level", "off"}});
  daemon().expect_log("cannot accept on ");
  std::vector<TcpPeer> served;
  for (int i = 0; i < 10; ++i) {
    served.push_back(connect());
    ASSERT_TRUE(served.back().echoes("served"));
  }
  leave_no_descriptors();
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(connect());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_resources", 1);
  (void)daemon().wait_for_err("cannot accept on ");
  EXPECT_FALSE(waiting.back().has_news());
  expect_little_cpu_for_a_second();
  EXPECT_TRUE(served.back().echoes("still served"));
  for (TcpPeer& peer : waiting) {
    served.pop_back();
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
  }
}

TEST_F(LimitsTest, WhenDescriptorsComeBackAcceptingResumesByItself) {
  start("[limits]\nopen_files = 256\n");
  daemon().expect_log("cannot accept on ");
  leave_no_descriptors();
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.push_back(connect());
    waiting.back().send_all("waiting");
  }
  daemon().wait_for_counter("paused_resources", 1);
  give_descriptors_back();
  for (TcpPeer& peer : waiting) {
    EXPECT_EQ(peer.receive_exactly(7), "waiting");
  }
  EXPECT_EQ(daemon().count_log("cannot accept on "), 1U) << "said once";
}

TEST_F(LimitsTest, AskingForMoreThanUlimitAllowsIsOneWarningWithBothNumbers) {
  start(DaemonOptions{.config = "[limits]\nmax_connections = 5000\n", .open_files = 128});
  daemon().expect_log("ulimit -n");
  const std::string line = daemon().wait_for_log(" - WARNING - ");
  EXPECT_NE(line.find("128"), std::string::npos) << line;
  EXPECT_NE(line.find("50"), std::string::npos) << line;
  EXPECT_NE(line.find("LimitNOFILE="), std::string::npos) << line;
  EXPECT_EQ(daemon().count_log(" - WARNING - "), 1U);
  EXPECT_LT(connections_in_force(), 128U);
  daemon().reload("[limits]\nmax_connections = 5000\n[timeouts]\nidle_s = 7\n");
  (void)daemon().wait_for_log("reload: applied");
  EXPECT_EQ(daemon().count_log(" - WARNING - "), 1U) << "it is known by now";
  daemon().reload("[limits]\nmax_connections = 6000\n");
  (void)daemon().wait_for_log(" - WARNING - ", 2);
  EXPECT_EQ(daemon().count_log(" - WARNING - "), 2U);
}

TEST_F(LimitsTest, TheSoftLimitIsRaisedToTheHardOneOrToTheConfiguredValue) {
  const rlimit low{.rlim_cur = 100, .rlim_max = 400};
  start(DaemonOptions{.open_files_range = low});
  rlimit now{};
  ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_NOFILE, nullptr, &now), 0);
  EXPECT_EQ(now.rlim_cur, 400U);
  daemon().finish();
  start(DaemonOptions{.config = "[limits]\nopen_files = 200\n", .open_files_range = low});
  ASSERT_EQ(prlimit(daemon().pid(), RLIMIT_NOFILE, nullptr, &now), 0);
  EXPECT_EQ(now.rlim_cur, 200U);
}

// Nothing may be sized by a limit that containers set to a thousand million.
TEST_F(LimitsTest, AnEnormousMaxConnectionsCostsNoMemory) {
  start("[limits]\nmax_connections = 10\n");
  const std::uint64_t few = daemon().memory().private_dirty_bytes;
  daemon().finish();
  start();
  const std::uint64_t many = daemon().memory().private_dirty_bytes;
  constexpr std::uint64_t kSlack = 256 * 1024;
  EXPECT_LE(many, few + kSlack);
}

}  // namespace
}  // namespace echod::test
