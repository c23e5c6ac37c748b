// What each signal does. SIGPIPE is ignored.
#include <chrono>
#include <csignal>
#include <optional>
#include <set>
#include <string>

#include "daemon_test.hpp"
#include "delayed_calls.hpp"
#include "descriptors.hpp"
#include "pseudo_terminal.hpp"

namespace echod::test {
namespace {

class SignalsTest : public DaemonTest {};

TEST_F(SignalsTest, SigintStopsAsSigtermDoes) {
  start();
  daemon().signal(SIGINT);
  daemon().finish_stopped();
  EXPECT_NE(daemon().wait_for_log("stopping because of ").find("SIGINT"), std::string::npos);
}

TEST_F(SignalsTest, SigpipeDoesNothing) {
  start();
  TcpPeer peer = connect();
  daemon().signal(SIGPIPE);
  EXPECT_TRUE(peer.echoes("hello"));
}

TEST_F(SignalsTest, EchoesWithAClosedStderr) {
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
                                 "closed_forced",
                                 "closed_by_operator"}) {
    EXPECT_TRUE(counters.contains(name)) << name;
  }
}

// The signals come while it reads its configuration, before it serves.
TEST_F(SignalsTest, SignalsBeforeItServesDoNotKillIt) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  const TemporaryDirectory directory;
  const std::string config = directory.file("echod.toml");
  write_file(config, "");
  std::vector<std::string> arguments{"strace", "-f", "-D"};
  const std::vector<std::string> delays = delaying("read", config, "1000000");
  arguments.insert(arguments.end(), delays.begin(), delays.end());
  arguments.insert(arguments.end(), {ECHOD_BINARY, "--config", config, "--log-file", "",
                                     "--address", "127.0.0.1", "--port", "0"});
  ChildProcess child({.arguments = arguments});
  wait_until("the configuration to be read", [&] { return has_open(child.pid(), config); });
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU}) {
    child.signal(number);
  }
  EXPECT_TRUE(child.wait_for_err([](const std::string& err) {
    return err.find("started: ") != std::string::npos;
  })) << child.err();
  EXPECT_TRUE(child.wait_for_err([](const std::string& err) {
    return err.find("reload: applied") != std::string::npos;
  })) << "the SIGHUP was lost: "
      << child.err();
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(SignalsTest, ManySignalsAtOnceDisturbNoConnection) {
  start();
  TcpPeer peer = connect();
  for (int round = 0; round < 20; ++round) {
    for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) {
      daemon().signal(number);
    }
    ASSERT_TRUE(peer.echoes("hello"));
  }
}

// The counters that echod(8) documents.
std::set<std::string> documented_counters() {
  std::set<std::string> names;
  std::string section;
  std::string before;
  for (const std::string& line : lines_of(read_file(ECHOD_SOURCE_DIR "/docs/man/echod.8"))) {
    if (line.starts_with(".SH ")) {
      section = line;
    } else if (section == ".SH COUNTERS" && before == ".TP") {
      names.insert(line.substr(line.find(' ') + 1));
    }
    before = line;
  }
  return names;
}

TEST_F(SignalsTest, TheManualPageExplainsEveryCounterAndNoOther) {
  start();
  std::set<std::string> names;
  for (const auto& [name, value] : daemon().counters()) {
    names.insert(name);
  }
  EXPECT_EQ(documented_counters(), names);
}

// echod in a terminal. SIGHUP means that the terminal was closed, or a reload.
class TerminalTest : public testing::Test {
 protected:
  void TearDown() override {
    if (echod_ != 0 && !says("stopped: ")) {
      (void)kill(echod_, SIGKILL);
    }
  }

  // Starts echod in an interactive shell, which forwards SIGHUP to its jobs.
  void start_by_typing(const std::string& before, const std::string& after) {
    start({"bash", "--norc", "--noprofile", "-i"});
    terminal_.type(before + kEchod + after + '\n');
    wait_for_echod();
  }
  void start(const std::vector<std::string>& arguments) {
    std::vector<std::string> in_terminal{"setsid", "--ctty"};
    in_terminal.insert(in_terminal.end(), arguments.begin(), arguments.end());
    child_.emplace(ChildOptions{.arguments = in_terminal, .stdin_from = terminal_.fd()});
  }
  void wait_for_echod() {
    const std::string words = ", pid ";
    ASSERT_TRUE(says(words)) << child_->err();
    const std::string err = child_->err();
    echod_ = std::stoi(err.substr(err.find(words) + words.size()));
  }
  [[nodiscard]] bool says(const std::string& words) {
    return child_->wait_for_err(
        [&words](const std::string& err) { return err.find(words) != std::string::npos; },
        Deadline(std::chrono::seconds(20)));
  }
  void expect_stop() {
    EXPECT_TRUE(says("stopping because of the closed terminal")) << child_->err();
    EXPECT_TRUE(says("stopped: ")) << child_->err();
    EXPECT_EQ(child_->err().find("reload: "), std::string::npos) << child_->err();
  }
  void expect_reload() {
    EXPECT_TRUE(says("reload: applied")) << child_->err();
    EXPECT_EQ(kill(echod_, SIGTERM), 0);
    EXPECT_TRUE(says("stopping because of SIGTERM")) << child_->err();
  }

  static constexpr const char* kEchod =
      ECHOD_BINARY " --config /dev/null --log-file '' --address 127.0.0.1 --port 0";
  PseudoTerminal terminal_;
  std::optional<ChildProcess> child_;
  pid_t echod_ = 0;
};

TEST_F(TerminalTest, ClosingItStopsItsForegroundJob) {
  start_by_typing("", "");
  terminal_.hang_up();
  expect_stop();
}

TEST_F(TerminalTest, ClosingItStopsTheJobsOfItsShell) {
  start_by_typing("", " &");
  terminal_.hang_up();
  expect_stop();
}

TEST_F(TerminalTest, ClosingItStopsTheProgramThatItRuns) {
  start({"sh", "-c", std::string("exec ") + kEchod});
  wait_for_echod();
  terminal_.hang_up();
  expect_stop();
}

TEST_F(TerminalTest, WhileOpenSighupReloads) {
  start_by_typing("", "");
  ASSERT_EQ(kill(echod_, SIGHUP), 0);
  expect_reload();
}

TEST_F(TerminalTest, WhileOpenSighupFromItsShellReloads) {
  start_by_typing("", " &");
  terminal_.type("kill -HUP %1\n");
  expect_reload();
}

TEST_F(TerminalTest, ClosingItDoesNotStopAProgramStartedByNohup) {
  start_by_typing("nohup ", " &");
  terminal_.hang_up();
  expect_reload();
}

// The SIGHUP comes from another session, when the shell and the terminal are gone.
TEST_F(TerminalTest, AfterItClosedSighupReloadsABackgroundJob) {
  start({"sh", "-c", std::string("set -m; ") + kEchod + " & exec sleep 1000"});
  wait_for_echod();
  terminal_.hang_up();
  const std::string shell = "/proc/" + std::to_string(child_->pid()) + "/status";
  wait_until("the end of its shell",
             [&shell] { return read_file(shell).find("\nState:\tZ") != std::string::npos; });
  ASSERT_EQ(kill(echod_, SIGHUP), 0);
  expect_reload();
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

// Both are in the pipe before the daemon reads, so there is one event for both.
TEST_F(QuitOnStdinTest, EndOfFileAfterPartOfALineStopsTheDaemon) {
  start_with_stdin(true);
  daemon().freeze();
  daemon().child().write_stdin("abc");
  daemon().child().close_stdin();
  daemon().thaw();
  daemon().finish_stopped();
}

TEST_F(QuitOnStdinTest, PartOfALineDoesNotStopTheDaemon) {
  start_with_stdin(true);
  daemon().child().write_stdin("abc");
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  daemon().expect_counter("connections", 1);  // So the main thread is not blocked in a read.
  EXPECT_EQ(daemon().count_log("stopping because of "), 0U);
  peer.close();
  daemon().child().write_stdin("def\n");
  daemon().finish_stopped();
}

// `echod --quit-on-stdin &` in an interactive shell: the next input is for another job.
TEST_F(QuitOnStdinTest, InTheBackgroundOfATerminalALineDoesNotStopIt) {
  const PseudoTerminal terminal;
  const TemporaryDirectory directory;
  const std::string pid_file = directory.file("pid");
  ChildProcess shell(
      {.arguments = {"setsid", "--ctty", "sh", "-c",
                     "set -m; \"$0\" --config /dev/null --quit-on-stdin --log-file \"\" --address "
                     "127.0.0.1 --port 0 & echo $! >\"$1\"; exec sleep 1000",
                     ECHOD_BINARY, pid_file},
       .stdin_from = terminal.fd()});
  const auto says = [&shell](const std::string& words) {
    return shell.wait_for_err(
        [&words](const std::string& err) { return err.find(words) != std::string::npos; });
  };
  ASSERT_TRUE(says("started: ")) << shell.err();
  wait_until("the shell to write the PID", [&] { return read_file(pid_file).ends_with('\n'); });
  const pid_t echod = std::stoi(read_file(pid_file));
  terminal.type("a line\n");
  ASSERT_EQ(kill(echod, SIGUSR2), 0);
  EXPECT_TRUE(says("counters: ")) << shell.err();  // So it still runs.
  EXPECT_EQ(shell.err().find("stopping because of "), std::string::npos);
  ASSERT_EQ(kill(echod, SIGTERM), 0);
  EXPECT_TRUE(says("stopped: ")) << shell.err();
}

// epoll(7) refuses /dev/null and regular files: they count as at their end.
TEST_F(QuitOnStdinTest, DevNullCountsAsEndOfFile) {
  start_with_stdin(false);
  daemon().finish_stopped();
  EXPECT_EQ(daemon().count_log("stopped: "), 1U);
}

TEST_F(QuitOnStdinTest, WithoutTheOptionStdinIsIgnored) {
  start(DaemonOptions{.has_stdin = true});
  daemon().child().write_stdin("quit\n");
  daemon().child().close_stdin();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

}  // namespace
}  // namespace echod::test
