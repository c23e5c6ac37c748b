// The notifications that echod sends to the service manager.
#include <csignal>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "notify_socket.hpp"
#include "reserved_port.hpp"
#include "stopped_thread.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class ServiceManagerTest : public DaemonTest {
 protected:
  void start_managed(const std::string& config = "", const std::string& variable = "") {
    std::vector<std::string> environment{manager_.variable()};
    if (!variable.empty()) {
      environment.push_back(variable);
    }
    start(DaemonOptions{.config = config, .environment = environment});
  }

  NotifySocket manager_;
};

TEST_F(ServiceManagerTest, GetsReadyWhenEchodAcceptsConnections) {
  const ReservedPort reserved;
  const std::uint16_t port = reserved.port();
  ChildProcess echod({.arguments = {ECHOD_BINARY, "--config", "/dev/null", "--log-file", "",
                                    "--address", "127.0.0.1", "--port", std::to_string(port)},
                      .environment = {manager_.variable()}});
  EXPECT_NE(manager_.wait_for("READY=1").find("STATUS=0 connections"), std::string::npos);
  TcpPeer peer("127.0.0.1", port);
  EXPECT_TRUE(peer.echoes("hello"));
  peer.close();
  echod.signal(SIGTERM);
  EXPECT_EQ(echod.wait(), 0);
}

TEST_F(ServiceManagerTest, GetsAStatusThatFollowsTheCounters) {
  start_managed();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  const std::string message = manager_.wait_for("1 connections; 1 accepted, 1 echoes");
  EXPECT_NE(message.find("5 bytes received, 5 sent"), std::string::npos) << message;
  EXPECT_EQ(manager_.count_during(5s, "STATUS="), 0U) << "nothing has changed";
}

TEST_F(ServiceManagerTest, GetsTheBeginAndTheEndOfAReload) {
  start_managed();
  daemon().reload("[timeouts]\nidle_s = 5\n");
  const std::string message = manager_.wait_for("RELOADING=1");
  const std::string name = "\nMONOTONIC_USEC=";
  const std::size_t at = message.find(name);
  ASSERT_NE(at, std::string::npos) << message;
  const std::chrono::microseconds said(std::stoll(message.substr(at + name.size())));
  const auto age = std::chrono::steady_clock::now().time_since_epoch() - said;
  EXPECT_GE(age, 0s);
  EXPECT_LE(age, 10s);
  (void)manager_.wait_for("READY=1");
}

TEST_F(ServiceManagerTest, GetsTheReasonOfARefusedReloadUntilOneIsApplied) {
  start_managed();
  daemon().expect_log("reload: refused");
  daemon().expect_log("idle_s");
  daemon().reload("[timeouts]\nidle_s = -5\n");
  (void)manager_.wait_for("RELOADING=1");
  const std::string message = manager_.wait_for("READY=1");
  EXPECT_NE(message.find("; the last reload was refused: "), std::string::npos) << message;
  EXPECT_NE(message.find("idle_s"), std::string::npos) << message;
  EXPECT_TRUE(connect().echoes("hello"));
  EXPECT_NE(manager_.wait_for("1 accepted").find("refused"), std::string::npos);
  daemon().reload("");
  EXPECT_EQ(manager_.wait_for("READY=1").find("refused"), std::string::npos);
}

TEST_F(ServiceManagerTest, IsAskedForTimeWhileEchodDrains) {
  start_managed("[timeouts]\nlinger_s = 60\ndrain_s = 60\n");
  TcpPeer peer = connect(kLateReader);
  send_until_blocked(peer);
  daemon().signal(SIGTERM);
  EXPECT_NE(manager_.wait_for("STOPPING=1").find("STATUS=draining"), std::string::npos);
  // The first one comes at once, the second one with the next check of the workers.
  for (int message = 0; message < 2; ++message) {
    EXPECT_TRUE(manager_.wait_for("").starts_with("EXTEND_TIMEOUT_USEC=")) << message;
  }
  for (int message = 0; message < 2; ++message) {
    (void)manager_.wait_for("EXTEND_TIMEOUT_USEC=");
  }
  peer.reset();
  daemon().finish_stopped();
}

// While stopping, echod accepts the waiting clients until no descriptor is left.
TEST_F(ServiceManagerTest, GetsAllMessagesWhenConnectionsUseAllDescriptors) {
  start(DaemonOptions{.config = "[timeouts]\nlinger_s = 60\ndrain_s = 60\n",
                      .environment = {manager_.variable()},
                      .open_files = 64});
  daemon().expect_log("ulimit -n allows 64 open files");
  daemon().expect_log("full on ");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(connect());
  }
  daemon().wait_for_counter("paused_full", 1);
  daemon().signal(SIGTERM);
  (void)daemon().wait_for_log("stopping: clients wait in the backlog of ");
  (void)manager_.count_during(100ms, "");  // Discards earlier messages.
  EXPECT_NE(manager_.wait_for("STATUS=draining, ").find(" connections"), std::string::npos);
  (void)manager_.wait_for("EXTEND_TIMEOUT_USEC=");
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
    peer.close();
  }
  daemon().finish_stopped();
}

TEST_F(ServiceManagerTest, GetsWatchdogMessagesWhileAllWorkersAnswer) {
  start_managed("workers = 2\n", "WATCHDOG_USEC=30000000");
  daemon().expect_log("worker 0 has not answered");
  daemon().expect_log("worker 0 answers again");
  for (int message = 0; message < 3; ++message) {
    (void)manager_.wait_for("WATCHDOG=1");
  }
  {
    const StoppedThread stuck(daemon().pid(), "worker-0");
    (void)daemon().wait_for_log("worker 0 has not answered");
    (void)manager_.count_during(100ms, "");  // Discards earlier messages.
    EXPECT_EQ(manager_.count_during(3s, "WATCHDOG=1"), 0U);
  }
  (void)manager_.wait_for("WATCHDOG=1");
}

TEST_F(ServiceManagerTest, GetsNoWatchdogMessagesWithoutAWatchdog) {
  start_managed();
  EXPECT_EQ(manager_.count_during(3s, "WATCHDOG=1"), 0U);
}

// The supervisor is stopped, or does not read its socket.
TEST_F(ServiceManagerTest, ThatReadsNothingDelaysNeitherSignalsNorTheStop) {
  manager_.fill();
  start_managed();
  daemon().reload("[timeouts]\nidle_s = 5\n");
  (void)daemon().wait_for_err("reload: applied");
  daemon().signal(SIGUSR1);
  (void)daemon().wait_for_log("log file reopened", 2);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  peer.close();
  daemon().signal(SIGTERM);
  EXPECT_EQ(daemon().wait(Deadline(20s)), 0);
  daemon().finish_stopped();
}

TEST_F(ServiceManagerTest, ThatReadsLateGetsReady) {
  manager_.fill();
  start_managed();
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: applied");
  const std::string reloading = manager_.wait_for("RELOADING=1");
  EXPECT_NE(reloading.find("\nMONOTONIC_USEC="), std::string::npos) << reloading;
  (void)manager_.wait_for("READY=1");
}

TEST_F(ServiceManagerTest, ThatReadsNothingDoesNotDelayAFailedStart) {
  manager_.fill();
  ChildProcess echod(
      {.arguments = {ECHOD_BINARY, "--nonsense"}, .environment = {manager_.variable()}});
  constexpr int kUsage = 64;
  EXPECT_EQ(echod.wait(Deadline(20s)), kUsage);
}

TEST_F(ServiceManagerTest, WithAnUnusableSocketNameIsLoggedOnce) {
  start(DaemonOptions{.environment = {"NOTIFY_SOCKET=vsock:2:1234"}});
  daemon().expect_log("NOTIFY_SOCKET=vsock:2:1234 is unusable");
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_log("reload: applied");
  EXPECT_EQ(daemon().count_log("NOTIFY_SOCKET"), 1U);
}

TEST_F(ServiceManagerTest, AnEmptyVariableIsIgnored) {
  start(DaemonOptions{.environment = {"NOTIFY_SOCKET="}});
  EXPECT_EQ(daemon().count_log("NOTIFY_SOCKET"), 0U);
}

TEST_F(ServiceManagerTest, GetsTheReasonOfAFailedStart) {
  start();
  const ChildResult result =
      run({.arguments = {ECHOD_BINARY, "--config", daemon().config_path(), "--log-file", "",
                         "--address", "127.0.0.1", "--port", std::to_string(daemon().port())},
           .environment = {manager_.variable()}});
  constexpr int kUnavailable = 69;
  EXPECT_EQ(result.exit_code, kUnavailable);
  const std::string message = manager_.wait_for("ERRNO=" + std::to_string(EADDRINUSE));
  EXPECT_NE(message.find("STATUS=cannot listen on 127.0.0.1:"), std::string::npos) << message;
}

TEST_F(ServiceManagerTest, GetsTheErrorInTheCommandLine) {
  const ChildResult result =
      run({.arguments = {ECHOD_BINARY, "--nonsense"}, .environment = {manager_.variable()}});
  constexpr int kUsage = 64;
  EXPECT_EQ(result.exit_code, kUsage);
  const std::string message = manager_.wait_for("STATUS=");
  EXPECT_NE(message.find("--nonsense"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST_F(ServiceManagerTest, GetsNothingFromACheckOfTheConfiguration) {
  const TemporaryDirectory directory;
  write_file(directory.file("bad.toml"), "nonsense = 1\n");
  const ChildResult result =
      run({.arguments = {ECHOD_BINARY, "--check-config", "--config", directory.file("bad.toml")},
           .environment = {manager_.variable()}});
  constexpr int kConfiguration = 78;
  EXPECT_EQ(result.exit_code, kConfiguration);
  EXPECT_EQ(manager_.count_during(200ms, "="), 0U);
}

}  // namespace
}  // namespace echod::test
