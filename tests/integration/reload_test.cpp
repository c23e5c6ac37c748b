// A reload takes a good configuration as a whole and a bad one not at all; connections stay.
// reload_keys_test has each key.
#include <csignal>

#include "daemon_test.hpp"

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

TEST_F(ReloadTest, AGoodOneIsAppliedAndSaidSo) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  reload("[log]\nfile_level = \"trace\"\n");
  ASSERT_TRUE(peer.echoes("after"));
  (void)daemon().wait_for_log(" - TRACE - echo peer=" + peer.name() + ' ');
  daemon().expect_counter("reloads", 1);
  EXPECT_EQ(daemon().count_log("reload: applied"), 1U);
  EXPECT_EQ(daemon().count_log("in=6 "), 0U) << "that was before";
}

TEST_F(ReloadTest, FewerConnectionsCloseNobody) {
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
  TcpPeer late = connect();
  late.send_all("late");
  daemon().wait_for_counter("paused_full", 1);
  peers.clear();
  EXPECT_EQ(late.receive_exactly(4), "late");
}

TEST_F(ReloadTest, ABadOneIsRefusedAsAWholeWithEveryErrorInTheLog) {
  start("[log]\nfile_level = \"debug\"\n");
  for (const char* const expected : {"idel_s", "max_connections", "reload: refused"}) {
    daemon().expect_log(expected);
  }
  TcpPeer peer = connect();
  reload(
      "[log]\nfile_level = \"trace\"\n[timeouts]\nidel_s = 3\n"
      "[limits]\nmax_connections = -1\n");
  EXPECT_TRUE(peer.echoes("still served"));
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

// The parser would overflow its stack: the daemon must be spared, not just the start.
TEST_F(ReloadTest, AKeyOfEndlessPartsIsRefusedLikeAnyOtherError) {
  start();
  daemon().expect_log("reload: refused");
  daemon().expect_log("more than 1000 dots");
  TcpPeer peer = connect();
  std::string key = "a";
  for (int part = 0; part < 200'000; ++part) {
    key += ".a";
  }
  reload(key + " = 1\n");
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(ReloadTest, AFileThatHasGoneIsRefused) {
  start();
  daemon().expect_log("echod.toml: cannot be read");
  daemon().expect_log("reload: refused");
  std::filesystem::remove(daemon().config_path());
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: refused");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("still served"));
}

// Rotation depends on a signal, not on what is in the configuration.
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

TEST_F(ReloadTest, AGoodOneAfterABadOneIsApplied) {
  start();
  daemon().expect_log("reload: refused");
  daemon().expect_log("nonsense");
  reload("nonsense = 1\n");
  reload("");
  (void)daemon().wait_for_log("reload: applied");
}

TEST_F(ReloadTest, WhatNeedsARestartIsNamedAndTheRestApplied) {
  const std::string listen = "[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n";
  start(listen);
  daemon().expect_log("reload: needs a restart: ");
  daemon().reload(listen + "backlog = 7\n[socket]\nno_delay = false\n[timeouts]\nidle_s = 0.2\n");
  const std::string line = daemon().wait_for_err("needs a restart");
  EXPECT_NE(line.find(" - WARNING - reload: needs a restart: listen, socket.no_delay"),
            std::string::npos)
      << line;
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.has_news(Deadline(kAtOnce))) << "idle_s applies at once";
}

TEST_F(ReloadTest, ABoundThatLeavesNoBufferIsWarnedOf) {
  start("workers = 2\n[buffers]\nper_connection_kib = 1024\n");
  daemon().expect_log("buffers.total_mib leaves 512 KiB to each of 2 workers");
  reload("workers = 2\n[buffers]\nper_connection_kib = 1024\ntotal_mib = 1\n");
}

TEST_F(ReloadTest, TheCommandLineStillHolds) {
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

}  // namespace
}  // namespace echod::test
