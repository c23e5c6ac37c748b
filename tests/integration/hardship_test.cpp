// What the machine and its operator may do to a daemon: stop it for a while, take its streams, fill
// its files, give it few descriptors, remove its configuration.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "background.hpp"
#include "daemon_test.hpp"
#include "delayed_calls.hpp"
#include "own_etc.hpp"
#include "pseudo_terminal.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class HardshipTest : public DaemonTest {
 protected:
  // Whether its main thread does. What strace holds back of it is there until that ends.
  [[nodiscard]] bool ends_within(std::chrono::milliseconds time) {
    const std::string status = "/proc/" + std::to_string(daemon().pid()) + "/status";
    return eventually(
        [&status] { return read_file(status).find("\nState:\tZ") != std::string::npos; },
        Deadline(time));
  }
  [[nodiscard]] std::string stream_of(int fd) {
    return std::filesystem::read_symlink("/proc/" + std::to_string(daemon().pid()) + "/fd/" +
                                         std::to_string(fd));
  }
};

TEST_F(HardshipTest, WhoSentWhileTheDaemonWasStoppedIsNotIdle) {
  constexpr int kIdleSeconds = kSanitized ? 10 : 3;  // Longer than a round of all peers takes.
  start("[timeouts]\nidle_s = " + std::to_string(kIdleSeconds) + "\n");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 300; ++i) {
    peers.push_back(connect());
    peers.back().send_all("before");
  }
  for (TcpPeer& peer : peers) {
    ASSERT_EQ(peer.receive_exactly(6), "before");
  }
  daemon().freeze();
  for (TcpPeer& peer : peers) {
    peer.send_all("meanwhile");
  }
  std::this_thread::sleep_for(std::chrono::seconds(kIdleSeconds + 1));
  daemon().thaw();
  for (TcpPeer& peer : peers) {
    ASSERT_EQ(peer.receive_exactly(9), "meanwhile");
  }
  daemon().expect_counter("closed_idle_timeout", 0);
}

TEST_F(HardshipTest, AFullStderrHoldsUpNeitherTheLogFileNorTheEnd) {
  start(DaemonOptions{.config = "[log]\nqueue_lines = 16\n",
                      .arguments = {"--stderr-level", "debug"},
                      .blocks_stderr = true});
  daemon().allow_log("lines");  // That some were dropped.
  for (int i = 0; i < 50; ++i) {
    TcpPeer peer = connect();
    ASSERT_TRUE(peer.echoes("hello"));
    const std::string name = peer.name();
    peer.close();
    (void)daemon().wait_for_log("close peer=" + name + ' ');
  }
  EXPECT_GT(daemon().counter("log_lines_dropped"), 0U);
  daemon().signal(SIGTERM);
  EXPECT_EQ(daemon().wait(Deadline(20s)), 0);
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopped: "), 1U);
  EXPECT_EQ(daemon().count_log(" peer="), 2 * 50U) << "the file lost lines for standard error";
}

// Every 10 s, as long as more are.
TEST_F(HardshipTest, LinesThatAreDroppedAreReportedAgainAndAgain) {
  start(DaemonOptions{.config = "[log]\nqueue_lines = 16\n",
                      .arguments = {"--stderr-level", "debug"},
                      .blocks_stderr = true});
  daemon().expect_log(" log lines were dropped");
  wait_until("two reports", [this] {
    EXPECT_TRUE(connect().echoes("hello"));
    return daemon().count_log(" log lines were dropped") == 2;
  });
}

// As screen does while it is scrolled back. There is room for a part of a line, which poll(2) takes
// for enough.
TEST_F(HardshipTest, ATerminalThatNobodyReadsHoldsUpNeitherTheLogFileNorTheEnd) {
  const PseudoTerminal terminal;
  start(DaemonOptions{.config = "[log]\nconnection_lines_per_second = 0\n",
                      .arguments = {"--stderr-level", "debug"},
                      .stderr_to = terminal.fd()});
  for (int i = 0; i < 100; ++i) {
    TcpPeer peer = connect();
    ASSERT_TRUE(peer.echoes("hello"));
    const std::string name = peer.name();
    peer.close();
    (void)daemon().wait_for_log("close peer=" + name + ' ');
  }
  daemon().signal(SIGTERM);
  EXPECT_EQ(daemon().wait(Deadline(20s)), 0);
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopped: "), 1U);
}

TEST_F(HardshipTest, ATerminalThatNobodyReadsDoesNotHoldUpAStartThatFails) {
  const PseudoTerminal terminal;
  terminal.fill();
  ChildProcess child({.arguments = {ECHOD_BINARY, "--nonsense"}, .stderr_to = terminal.fd()});
  EXPECT_EQ(child.wait(Deadline(20s)), EX_USAGE);
}

// The delay is longer than the test waits.
TEST_F(HardshipTest, ADiskThatDoesNotWriteTheLogHoldsUpNeitherSignalsNorTheEnd) {
  start();
  DelayedCalls disk(daemon().pid(), "write", daemon().log_path());
  if (!disk.is_in_force()) {
    GTEST_SKIP() << "strace cannot delay calls here";
  }
  daemon().signal(SIGUSR2);
  (void)daemon().wait_for_err("counters: ");
  for (std::size_t reloads = 1; reloads <= 2; ++reloads) {
    daemon().signal(SIGUSR1);
    daemon().signal(SIGHUP);
    (void)daemon().wait_for_err("reload: applied", reloads);
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello"));
  }
  daemon().signal(SIGTERM);
  EXPECT_TRUE(ends_within(20s));
  disk.end();
  daemon().finish_stopped();
}

TEST_F(HardshipTest, ADiskThatDoesNotGiveTheConfigurationHoldsUpNeitherSignalsNorTheEnd) {
  start();
  DelayedCalls disk(daemon().pid(), "read", daemon().config_path());
  if (!disk.is_in_force()) {
    GTEST_SKIP() << "strace cannot delay calls here";
  }
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_log("log file reopened");
  daemon().signal(SIGHUP);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().expect_counter("reloads", 0);
  peer.close();
  daemon().signal(SIGTERM);
  EXPECT_TRUE(ends_within(20s));
  disk.end();
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("reload: "), 0U);
}

TEST_F(HardshipTest, ALogFileThatMayNotGrowStopsNobody) {
  constexpr std::size_t kMost = 4096;
  start(DaemonOptions{.file_size = kMost});
  daemon().allow_log("log");  // That it cannot be written.
  for (int i = 0; i < 100; ++i) {
    TcpPeer peer = connect();
    ASSERT_TRUE(peer.echoes("hello"));
  }
  wait_until("the file to be full",
             [this] { return std::filesystem::file_size(daemon().log_path()) == kMost; });
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(HardshipTest, MoreClientsThanDescriptorsAreAllDrained) {
  start(DaemonOptions{.open_files = 64});
  daemon().expect_log("ulimit -n allows 64 open files");
  daemon().allow_log("full on ");
  daemon().allow_log("cannot accept on ");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 150; ++i) {
    peers.push_back(connect());
    peers.back().send_all("line " + std::to_string(i) + '\n');
  }
  for (const TcpPeer& peer : peers) {
    wait_until("all to have arrived", [&peer] { return peer.unacknowledged() == 0; });
  }
  daemon().wait_for_counter("paused_full", 1);
  daemon().signal(SIGTERM);
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const Tail tail = peers[i].receive_to_end();
    EXPECT_EQ(tail.ending, Ending::fin) << i;
    EXPECT_EQ(tail.bytes, "line " + std::to_string(i) + '\n');
    peers[i].close();
  }
  daemon().finish_stopped();
}

TEST_F(HardshipTest, WithoutStandardStreamsNoLogTextReachesAPeer) {
  TemporaryDirectory directory;
  const std::string levels = "file_level = \"trace\"\nstderr_level = \"trace\"\n";
  start(DaemonOptions{.config = "[log]\nfile = \"network-server.log\"\n" + levels,
                      .has_log_argument = false,
                      .closes_standard = true});
  daemon().reload("[log]\nfile = \"\"\n" + levels);
  wait_until("the file to be closed", [this] {
    const std::string log = std::filesystem::canonical(daemon().log_path());
    const std::filesystem::path folder = "/proc/" + std::to_string(daemon().pid()) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::error_code error;
      if (std::filesystem::read_symlink(entry, error) == log) {
        return false;
      }
    }
    return true;
  });
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
  }
  for (int fd = 0; fd <= 2; ++fd) {
    EXPECT_EQ(stream_of(fd), "/dev/null") << fd;
  }
  for (TcpPeer& peer : peers) {
    peer.half_close();
    EXPECT_EQ(peer.receive_to_end().bytes, "");
  }
}

TEST_F(HardshipTest, AConfigurationFromAPipeIsRefusedAtOnce) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkfifo(directory.file("fifo").c_str(), 0600), 0);
  ChildProcess child({.arguments = {ECHOD_BINARY, "--config", directory.file("fifo")}});
  EXPECT_EQ(child.wait(Deadline(20s)), EX_CONFIG);
  EXPECT_NE(child.err().find("is a pipe"), std::string::npos) << child.err();
}

TEST_F(HardshipTest, AReloadWithoutItsFileIsRefused) {
  start("[limits]\nmax_connections = 1\n");
  daemon().expect_log("reload: refused");
  daemon().expect_log("No such file or directory");
  daemon().expect_log("full on ");
  std::filesystem::remove(daemon().config_path());
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: refused");
  TcpPeer first = connect();
  ASSERT_TRUE(first.echoes("hello"));
  TcpPeer second = connect();
  daemon().wait_for_counter("paused_full", 1);
}

// In a mount namespace, where /etc is a folder of the test.
class DefaultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!may_have_own_etc()) {
      GTEST_SKIP() << kNoOwnEtc;
    }
  }
  void TearDown() override {
    if (echod_) {
      echod_->signal(SIGTERM);
      EXPECT_EQ(echod_->wait(), 0);
    }
  }

  void start() {
    echod_.emplace(ChildOptions{
        .arguments = with_own_etc(directory_.path(), {ECHOD_BINARY, "--address", "127.0.0.1",
                                                      "--port", "0", "--log-file", ""})});
    ASSERT_TRUE(says("started: ")) << echod_->err();
  }
  [[nodiscard]] bool says(const std::string& words) {
    return echod_->wait_for_err(
        [&](const std::string& err) { return err.find(words) != std::string::npos; });
  }
  void reload_and_expect(const std::string& words) {
    echod_->signal(SIGHUP);
    EXPECT_TRUE(says(words)) << echod_->err();
  }

  const TemporaryDirectory directory_;
  const std::string file_ = directory_.file("echod.toml");
  std::optional<ChildProcess> echod_;
};

TEST_F(DefaultFileTest, ThatHasGoneRefusesTheReload) {
  write_file(file_, "[limits]\nmax_connections = 1\n");
  start();
  EXPECT_TRUE(says("limits: 1 connections"));
  EXPECT_TRUE(says(", configuration: /etc/echod.toml\n"));
  std::filesystem::remove(file_);
  reload_and_expect("reload: refused");
}

TEST_F(DefaultFileTest, ThatWasNeverThereIsSaidAtTheStartAndAtTheReload) {
  start();
  const std::string words = ", configuration: built-in defaults, no /etc/echod.toml\n";
  EXPECT_TRUE(says(words)) << echod_->err();
  reload_and_expect("reload: applied" + words);
}

TEST_F(DefaultFileTest, ThatCameAfterTheStartIsAppliedAndMustStayFromThenOn) {
  start();
  write_file(file_, "[limits]\nmax_connections = 1\n");
  reload_and_expect("reload: applied, configuration: /etc/echod.toml");
  EXPECT_TRUE(says("limits: 1 connections"));
  std::filesystem::remove(file_);
  reload_and_expect("reload: refused");
}

// Orphans come to PID 1 of a container; here children come by execve(2), one of them dead.
TEST_F(HardshipTest, ChildrenThatItDidNotStartAreReaped) {
  ChildProcess echod(
      {.arguments = {"sh", "-c",
                     "true & echo $! >&2; sleep 1000 & echo $! >&2; exec \"$0\" --config "
                     "/dev/null --log-file \"\" --address 127.0.0.1 --port 0",
                     ECHOD_BINARY}});
  ASSERT_TRUE(echod.wait_for_err([](const std::string& err) {
    return err.find("started: ") != std::string::npos;
  })) << echod.err();
  const std::vector<std::string> lines = lines_of(echod.err());
  ASSERT_EQ(kill(std::stoi(lines.at(1)), SIGKILL), 0);
  for (const std::string& child : {lines.at(0), lines.at(1)}) {
    EXPECT_TRUE(eventually([&child] { return !std::filesystem::exists("/proc/" + child); }));
  }
  echod.signal(SIGTERM);
  EXPECT_EQ(echod.wait(), 0);
}

TEST_F(HardshipTest, CountersAreSaidOnStderrWhateverTheLevels) {
  start(DaemonOptions{.arguments = {"--log-level", "error"}});
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().signal(SIGUSR2);
  EXPECT_NE(daemon().wait_for_err("counters: ").find(" accepted=1 "), std::string::npos);
}

// It has all that it was owed, so that nothing is gained by waiting longer for its FIN.
TEST_F(HardshipTest, TheLingerTimeIsKeptThoughThePeerSendsOn) {
  start("[timeouts]\nlinger_s = 1\ndrain_s = 120\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().signal(SIGTERM);
  Background sender([&peer](const std::atomic<bool>& is_over) {
    while (!is_over && send(peer.fd(), "x", 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(80ms);  // It sends on, but floods nobody.
    }
  });
  EXPECT_EQ(daemon().wait(), 0);
  sender.finish();
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("reason=linger_timeout"), 1U);
}

}  // namespace
}  // namespace echod::test
