// A reload applies a valid configuration as a whole, refuses an invalid one as a whole, and keeps
// all connections. reload_keys_test tests each key.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <limits>

#include "daemon_test.hpp"
#include "delayed_calls.hpp"
#include "descriptors.hpp"

namespace echod::test {
namespace {

class ReloadTest : public DaemonTest {
 protected:
  void reload(const std::string& config) {
    ++reloads_;
    daemon().reload(config);
    (void)daemon().wait_for_err("reload: ", reloads_);
  }

  std::size_t reloads_ = 0;
};

TEST_F(ReloadTest, AValidOneIsAppliedAndLogged) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  reload("[log]\nfile_level = \"trace\"\n");
  ASSERT_TRUE(peer.echoes("after"));
  (void)daemon().wait_for_log(" - TRACE - echo peer=" + peer.name() + ' ');
  daemon().expect_counter("reloads", 1);
  EXPECT_EQ(daemon().count_log("reload: applied"), 1U);
  EXPECT_EQ(daemon().count_log("in=6 "), 0U) << "sent before the reload";
}

TEST_F(ReloadTest, TheStartAndTheReloadLogTheFileInUse) {
  start();
  EXPECT_TRUE(
      daemon().wait_for_err("started: ").ends_with(", configuration: " + daemon().config_path()));
  reload("[timeouts]\nidle_s = 7\n");
  EXPECT_TRUE(daemon()
                  .wait_for_err("reload: applied")
                  .ends_with("reload: applied, configuration: " + daemon().config_path()));
}

TEST_F(ReloadTest, ChangedLimitsAreLoggedAndUnchangedOnesAreNot) {
  start();
  reload("[timeouts]\nidle_s = 7\n");
  reload("[limits]\nmax_connections = 5\n");
  EXPECT_NE(daemon().wait_for_err("limits: ", 2).find("limits: 5 connections, "),
            std::string::npos);
  reload("[limits]\nmax_connections = 5\n[buffers]\ntotal_mib = 32\n");
  EXPECT_NE(daemon().wait_for_err("limits: ", 3).find(", 32 MiB in all"), std::string::npos);
  reload("[limits]\nmax_connections = 5\n[buffers]\ntotal_mib = 32\n[turn]\nreads = 1\n");
  daemon().expect_counter("reloads", 4);
  EXPECT_EQ(daemon().count_log(" - limits: "), 3U) << "the start and two reloads changed them";
}

TEST_F(ReloadTest, ALowerLimitClosesNoConnection) {
  start();
  daemon().allow_log("full on ");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
  }
  reload("[limits]\nmax_connections = 2\n");
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("hello"));
  }
  TcpPeer waiting = connect();
  waiting.send_all("waiting");
  daemon().wait_for_counter("paused_full", 1);
  peers.clear();
  EXPECT_EQ(waiting.receive_exactly(7), "waiting");
}

TEST_F(ReloadTest, AnInvalidOneIsRefusedAsAWholeWithEveryErrorInTheLog) {
  start(DaemonOptions{.config = "[log]\nfile_level = \"debug\"\n",
                      .arguments = {"--stderr-level", "off"}});
  for (const char* const expected : {"idel_s", "max_connections", "reload: refused"}) {
    daemon().expect_log(expected);
  }
  TcpPeer peer = connect();
  reload(
      "[log]\nfile_level = \"trace\"\n[timeouts]\nidel_s = 3\n"
      "[limits]\nmax_connections = -1\n");
  EXPECT_TRUE(peer.echoes("still served"));
  (void)daemon().wait_for_err("idel_s");  // Shown although stderr_level is off.
  const std::string unknown = daemon().wait_for_log("idel_s");
  EXPECT_NE(unknown.find(" - ERROR - " + daemon().config_path() + ":4:1: "), std::string::npos)
      << unknown;
  EXPECT_EQ(daemon().count_log("max_connections: "), 1U);
  const auto counters = daemon().counters();
  EXPECT_EQ(counters.at("reloads_refused"), 1U);
  EXPECT_EQ(counters.at("reloads"), 0U);
  EXPECT_EQ(daemon().count_log(" - TRACE - "), 0U) << "part of a refused file was applied";
}

TEST_F(ReloadTest, ASyntaxErrorIsRefused) {
  start();
  daemon().expect_log("echod.toml:1:");
  daemon().expect_log("reload: refused");
  TcpPeer peer = connect();
  reload("= = =\n");
  EXPECT_TRUE(peer.echoes("still served"));
}

// The parser would overflow its stack. A reload must be protected from that too, not only a start.
TEST_F(ReloadTest, AKeyOfTooManyPartsIsRefused) {
  start();
  daemon().expect_log("reload: refused");
  daemon().expect_log(" dots; use at most 10000");
  TcpPeer peer = connect();
  std::string key = "a";
  for (int part = 0; part < 200'000; ++part) {
    key += ".a";
  }
  reload(key + " = 1\n");
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(ReloadTest, AMissingFileIsRefused) {
  start();
  daemon().expect_log("echod.toml: cannot be read");
  daemon().expect_log("reload: refused");
  std::filesystem::remove(daemon().config_path());
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: refused");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("still served"));
}

// Rotation must not depend on a valid configuration.
TEST_F(ReloadTest, ARefusedOneReopensTheLogFile) {
  start();
  daemon().expect_log("reload: refused");
  daemon().expect_log("nonsense");
  std::filesystem::rename(daemon().log_path(), daemon().directory().file("rotated"));
  daemon().reload("nonsense = 1\n");
  (void)daemon().wait_for_err("reload: refused");
  EXPECT_TRUE(eventually([this] { return daemon().count_log("log file reopened") == 1; },
                         Deadline(kAtOnce)));
}

TEST_F(ReloadTest, AValidOneAfterAnInvalidOneIsApplied) {
  start();
  daemon().expect_log("reload: refused");
  daemon().expect_log("nonsense");
  reload("nonsense = 1\n");
  reload("");
  (void)daemon().wait_for_log("reload: applied");
}

TEST_F(ReloadTest, KeysThatNeedAnUpgradeAreAppliedByOneTogetherWithTheOthers) {
  const std::string listen = "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n";
  start(listen);
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  daemon().reload(listen + "backlog = 7\n[socket]\nno_delay = false\n[timeouts]\nidle_s = 0.2\n");
  const std::string line = daemon().wait_for_err("upgrading in place because ");
  EXPECT_NE(line.find("upgrading in place because listen, socket.no_delay have changed; checking "),
            std::string::npos)
      << line;
  (void)daemon().wait_for_err(": kept 1 connections and 0 owed bytes");
  EXPECT_TRUE(peer.has_news(Deadline(kAtOnce))) << "idle_s is applied too";
}

TEST_F(ReloadTest, ATotalThatLeavesNoBufferCausesAWarning) {
  start("workers = 2\n[buffers]\nper_connection_kib = 1024\n");
  daemon().expect_log("buffers.total_mib leaves 512 KiB to each of 2 workers");
  reload("workers = 2\n[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n");
}

TEST_F(ReloadTest, TheCommandLineStillOverridesTheFile) {
  start(DaemonOptions{.arguments = {"--log-level", "info"}});
  reload("[[listen]]\nport = 1\n[log]\nfile_level = \"trace\"\nfile = \"/nowhere/at/all\"\n");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  (void)daemon().wait_for_log("reload: applied");
  EXPECT_EQ(daemon().count_log("peer="), 0U);
}

TEST_F(ReloadTest, ManyUnderLoadLoseNoByteAndRefuseNoConnection) {
  start("[log]\nfile_level = \"info\"\n");
  TcpPeer steady = connect();
  for (int round = 0; round < 100; ++round) {
    daemon().reload(round % 2 == 0 ? "[log]\nfile_level = \"info\"\n[turn]\nreads = 1\n"
                                   : "[log]\nfile_level = \"info\"\n");
    TcpPeer fresh = connect();
    ASSERT_TRUE(fresh.echoes("fresh"));
    ASSERT_TRUE(steady.echoes("steady"));
  }
}

// echod --reload, as in ExecReload= of the unit.
class ReloadRequestTest : public DaemonTest {
 protected:
  static constexpr int kRefused = 78;
  static constexpr int kNoAnswer = 71;

  [[nodiscard]] static ChildResult request(pid_t pid) {
    return run_echod({"--reload", std::to_string(pid)});
  }
};

TEST_F(ReloadRequestTest, EndsWhenTheNewConfigurationIsApplied) {
  start();
  for (std::size_t reloads = 1; reloads <= 3; ++reloads) {
    const ChildResult result = request(daemon().pid());
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out + result.err, "");
    daemon().expect_counter("reloads", reloads);
  }
}

TEST_F(ReloadRequestTest, FailsIfTheConfigurationIsRefused) {
  start();
  daemon().expect_log("nonsense");
  daemon().expect_log("cannot be read: No such file or directory");
  daemon().expect_log("reload: refused");
  write_file(daemon().config_path(), "nonsense = 1\n");
  const ChildResult bad = request(daemon().pid());
  EXPECT_EQ(bad.exit_code, kRefused);
  EXPECT_EQ(bad.err, "echod: process " + std::to_string(daemon().pid()) +
                         " refused the reload; its log says why\n");
  std::filesystem::remove(daemon().config_path());
  EXPECT_EQ(request(daemon().pid()).exit_code, kRefused);
  write_file(daemon().config_path(), "");
  EXPECT_EQ(request(daemon().pid()).exit_code, 0) << "an earlier refusal has no effect";
}

// A load that was running when the request came may have read an older file.
TEST_F(ReloadRequestTest, IsAnsweredByTheLoadThatFollowsIt) {
  start();
  DelayedCalls disk(daemon().pid(), "read", daemon().config_path());
  if (!disk.is_in_force()) {
    GTEST_SKIP() << "strace cannot delay calls here";
  }
  daemon().expect_log("nonsense");
  daemon().expect_log("reload: refused");
  daemon().signal(SIGHUP);
  wait_until("the file to be read",
             [this] { return has_open(daemon().pid(), daemon().config_path()); });
  const std::string other = daemon().directory().file("other.toml");
  write_file(other, "nonsense = 1\n");
  std::filesystem::rename(other, daemon().config_path());
  ChildProcess requester({.arguments = {ECHOD_BINARY, "--reload", std::to_string(daemon().pid())}});
  (void)daemon().wait_for_log("log file reopened", 2);  // So the request was received.
  disk.end();
  EXPECT_EQ(requester.wait(), kRefused);
  EXPECT_EQ(daemon().count_log("reload: applied"), 1U);
}

TEST_F(ReloadRequestTest, IsAnsweredToRootByADaemonOfAnotherUser) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to start the daemon as another user";
  }
  start(DaemonOptions{.user = 65534});
  EXPECT_EQ(request(daemon().pid()).exit_code, 0);
}

TEST_F(ReloadRequestTest, ToAProcessThatDoesNotExistFails) {
  const ChildResult result = request(std::numeric_limits<pid_t>::max());
  EXPECT_EQ(result.exit_code, kNoAnswer);
  EXPECT_TRUE(result.err.ends_with(": No such process\n")) << result.err;
}

TEST_F(ReloadRequestTest, ToAProcessThatEndsWithoutAnAnswerFails) {
  ChildProcess silent({.arguments = {"sh", "-c", "trap '' HUP; echo here >&2; exec sleep 1000"}});
  ASSERT_TRUE(silent.wait_for_err([](const std::string& err) { return err == "here\n"; }));
  ChildProcess requester({.arguments = {ECHOD_BINARY, "--reload", std::to_string(silent.pid())}});
  silent.signal(SIGKILL);
  EXPECT_TRUE(silent.wait().has_value());
  EXPECT_EQ(requester.wait(Deadline(std::chrono::seconds(20))), kNoAnswer);
}

}  // namespace
}  // namespace echod::test
