// What each signal does, and that SIGPIPE does nothing.
#include <csignal>

#include "daemon_test.hpp"

namespace echod::test {
namespace {

class SignalsTest : public DaemonTest {};

TEST_F(SignalsTest, SigintStopsAsSigtermDoes) {
  start();
  daemon().signal(SIGINT);
  daemon().finish_stopped();
  EXPECT_NE(daemon().wait_for_log("stopping: ").find("SIGINT"), std::string::npos);
}

TEST_F(SignalsTest, SigpipeDoesNothing) {
  start();
  TcpPeer peer = connect();
  daemon().signal(SIGPIPE);
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(SignalsTest, AClosedStderrDoesNotMatter) {
  start(DaemonOptions{.arguments = {"--stderr-level", "debug"}, .closes_stderr = true});
  for (int i = 0; i < 5; ++i) {
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello"));
  }
}

TEST_F(SignalsTest, Sigusr2LogsTheCounters) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().wait_for_counter("bytes_sent", 5);
  const auto counters = daemon().counters();
  EXPECT_EQ(counters.at("accepted"), 1U);
  EXPECT_EQ(counters.at("connections"), 1U);
  EXPECT_EQ(counters.at("bytes_received"), 5U);
  EXPECT_EQ(counters.at("bytes_sent"), 5U);
  for (const std::string name : {"echoes",
                                 "empty_connections",
                                 "flips_to_write",
                                 "turns_over_budget",
                                 "unbuffered_reads",
                                 "paused_full",
                                 "paused_resources",
                                 "accept_errors",
                                 "stale_events",
                                 "connection_lines_suppressed",
                                 "log_lines_dropped",
                                 "log_write_failures",
                                 "reloads",
                                 "reloads_refused",
                                 "buffered_bytes",
                                 "closed_peer_closed",
                                 "closed_reset",
                                 "closed_timed_out",
                                 "closed_io_error",
                                 "closed_idle_timeout",
                                 "closed_stalled_write",
                                 "closed_drained",
                                 "closed_linger_timeout",
                                 "closed_drain_deadline",
                                 "closed_forced"}) {
    EXPECT_TRUE(counters.contains(name)) << name;
  }
}

TEST_F(SignalsTest, AllOfThemAtOnceDisturbNobody) {
  start();
  TcpPeer peer = connect();
  for (int round = 0; round < 20; ++round) {
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) {
      daemon().signal(number);
    }
    ASSERT_TRUE(peer.echoes("hello"));
  }
}

class QuitOnStdinTest : public DaemonTest {
 protected:
  void start_with_stdin(bool has_pipe) {
    start(DaemonOptions{.arguments = {"--quit-on-stdin"}, .has_stdin = has_pipe});
  }
};

TEST_F(QuitOnStdinTest, ALineStopsTheDaemon) {
  start_with_stdin(true);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  peer.close();
  daemon().child().write_stdin("quit\n");
  daemon().finish_stopped();
}

TEST_F(QuitOnStdinTest, EndOfFileStopsTheDaemon) {
  start_with_stdin(true);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().child().close_stdin();
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.close();
  daemon().finish_stopped();
}

// Both are in the pipe when the daemon looks, so that one edge tells of both.
TEST_F(QuitOnStdinTest, EndOfFileAfterPartOfALineStopsTheDaemon) {
  start_with_stdin(true);
  daemon().freeze();
  daemon().child().write_stdin("abc");
  daemon().child().close_stdin();
  daemon().thaw();
  daemon().finish_stopped();
}

TEST_F(QuitOnStdinTest, PartOfALineAloneDoesNot) {
  start_with_stdin(true);
  daemon().child().write_stdin("abc");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().expect_counter("connections", 1);  // The main thread has not blocked in a read.
  EXPECT_EQ(daemon().count_log("stopping: "), 0U);
  peer.close();
  daemon().child().write_stdin("def\n");
  daemon().finish_stopped();
}

// epoll(7) refuses /dev/null and files; they are at their end.
TEST_F(QuitOnStdinTest, DevNullCountsAsEndOfFile) {
  start_with_stdin(false);
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopped: "), 1U);
}

TEST_F(QuitOnStdinTest, WithoutTheOptionStdinDoesNotMatter) {
  start(DaemonOptions{.has_stdin = true});
  daemon().child().write_stdin("quit\n");
  daemon().child().close_stdin();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

}  // namespace
}  // namespace echod::test
