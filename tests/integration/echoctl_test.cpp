// echoctl against the real echod: what it shows is what the clients know, what it orders happens,
// and every failure has one line that says what to do.
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon_test.hpp"
#include "echo_pump.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

class EchoctlTest : public DaemonTest {
 protected:
  using Json = nlohmann::json;
  static constexpr int kRefused = 1;
  static constexpr int kUnavailable = 69;
  static constexpr int kNoPermission = 77;

  EchoctlTest() { start_with_socket(); }

  void start_with_socket(const std::string& config = "") {
    start("workers = 2\n[admin]\nsocket = \"" + socket() + "\"\n" + config);
  }
  [[nodiscard]] std::string socket() const { return directory_.file("admin.sock"); }
  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{ECHOCTL_BINARY, "--socket", socket()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  [[nodiscard]] ChildResult ctl(const std::vector<std::string>& arguments) const {
    return run({.arguments = words(arguments)});
  }
  // The output of a command that succeeds.
  [[nodiscard]] std::string out(const std::vector<std::string>& arguments) const {
    const ChildResult result = ctl(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return result.out;
  }
  [[nodiscard]] Json json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    return Json::parse(out(arguments));
  }
  void expect_failure(const std::vector<std::string>& arguments, int exit_code,
                      const std::string& error) const {
    const ChildResult result = ctl(arguments);
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "echoctl: " + error + '\n');
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(EchoctlTest, StatusShowsWhatTheClientsKnow) {
  TcpPeer one = connect();
  TcpPeer other = connect();
  ASSERT_TRUE(one.echoes(std::string(1000, 'a')));
  ASSERT_TRUE(other.echoes("b"));
  wait_until("the bytes to be counted",
             [&] { return json({"status"})["counters"]["bytes_sent"] == 1001; });
  const Json status = json({"status"});
  EXPECT_EQ(status["connections"], 2);
  EXPECT_EQ(status["counters"]["accepted"], 2);
  EXPECT_EQ(status["pid"], daemon().pid());
  const std::string text = out({"status"});
  EXPECT_TRUE(matches(text, "^echod [0-9.]+ is serving, healthy and ready\nPID " +
                                std::to_string(daemon().pid()) + ", started "))
      << text;
  EXPECT_TRUE(matches(text, "\n  connections +2 of [0-9 ]+ accepted +2\n")) << text;
  EXPECT_TRUE(matches(text, "\n127.0.0.1:" + std::to_string(daemon().port()) + " +2 +2 +0 "))
      << text;
  EXPECT_NE(out({"status", "--bytes"}).find("received      1001\n"), std::string::npos);
}

TEST_F(EchoctlTest, ConnectionsAreListedAndOneIsClosed) {
  TcpPeer kept = connect();
  TcpPeer closed = connect();
  ASSERT_TRUE(kept.echoes("four"));
  ASSERT_TRUE(closed.echoes("seventy"));
  const std::string table = out({"connections"});
  EXPECT_TRUE(table.starts_with("ID ")) << table;
  EXPECT_NE(table.find(' ' + kept.name() + ' '), std::string::npos) << table;
  const Json list = json({"connections", "--sort", "bytes"});
  ASSERT_EQ(list["total"], 2);
  EXPECT_EQ(list["connections"][0]["peer"], closed.name());
  EXPECT_EQ(list["connections"][0]["bytes_received"], 7);
  EXPECT_EQ(out({"close", list["connections"][0]["id"]}), "closed 1 connection\n");
  (void)closed.receive_to_end();
  EXPECT_TRUE(kept.echoes("still here"));
  expect_failure({"close", list["connections"][0]["id"]}, kRefused,
                 "echod refused: there is no connection " +
                     list["connections"][0]["id"].get<std::string>() + " (HTTP status 404)");
}

TEST_F(EchoctlTest, ConnectionsAreFilteredAndPaged) {
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("x"));
  }
  EXPECT_EQ(json({"connections", "--network", "127.0.0.0/8"})["total"], 5);
  EXPECT_EQ(json({"connections", "--network", "192.0.2.0/24"})["total"], 0);
  EXPECT_EQ(out({"connections", "--state", "flushing"}), "no connections\n");
  const Json page = json({"connections", "--limit", "2", "--offset", "4"});
  EXPECT_EQ(page["total"], 5);
  EXPECT_EQ(page["connections"].size(), 1U);
  EXPECT_EQ(json({"connections", "--limit", "4", "--sort", "peer"})["connections"].size(), 4U);
  EXPECT_TRUE(out({"connections", "--limit", "2"})
                  .ends_with("\n1 to 2 of 5 connections; --limit and --offset show others\n"));
  const std::uint64_t first = json({"connections", "--worker", "0"})["total"];
  const std::uint64_t second = json({"connections", "--worker", "1"})["total"];
  EXPECT_EQ(first + second, 5U);
}

TEST_F(EchoctlTest, TheConnectionsOfANetworkAreClosedAndNoOthers) {
  TcpPeer one = connect();
  TcpPeer other = connect();
  ASSERT_TRUE(one.echoes("x"));
  ASSERT_TRUE(other.echoes("x"));
  EXPECT_EQ(out({"close", "--network", "192.0.2.0/24"}), "closed 0 connections\n");
  EXPECT_TRUE(one.echoes("still here"));
  EXPECT_EQ(json({"close", "--network", "127.0.0.1"})["closed"], 2);
  (void)one.receive_to_end();
  (void)other.receive_to_end();
}

TEST_F(EchoctlTest, ARefusalIsInTheWordsOfEchod) {
  const ChildResult result = ctl({"connections", "--network", "nonsense"});
  EXPECT_EQ(result.exit_code, kRefused);
  EXPECT_TRUE(result.err.starts_with("echoctl: echod refused: network=nonsense: use "))
      << result.err;
}

TEST_F(EchoctlTest, LogLevelsHoldUntilTheNextReload) {
  EXPECT_EQ(out({"log-level"}), "log file:       debug\nstandard error: error\n");
  EXPECT_EQ(out({"log-level", "warning"}), "log file:       warning\nstandard error: error\n");
  EXPECT_EQ(json({"log-level", "off", "--stderr"}),
            Json({{"file_level", "warning"}, {"stderr_level", "off"}}));
  EXPECT_EQ(json({"log-level"}), Json({{"file_level", "warning"}, {"stderr_level", "off"}}));
  daemon().signal(SIGHUP);
  wait_until("the reload", [&] { return json({"log-level"})["file_level"] == "debug"; });
  EXPECT_EQ(out({"log-level"}), "log file:       debug\nstandard error: error\n");
}

TEST_F(EchoctlTest, MetricsAreThoseForPrometheus) {
  EXPECT_TRUE(out({"metrics"}).starts_with("# HELP echod_"));
}

TEST_F(EchoctlTest, ADrainWaitsForClientsIsHealthyAndNotReady) {
  EXPECT_EQ(out({"health"}), "ok\n");
  EXPECT_EQ(out({"ready"}), "ready\n");
  TcpPeer slow = connect();
  send_until_blocked(slow);
  EXPECT_EQ(out({"drain"}), "echod drains: it stops when every client has its bytes back\n");
  wait_until("the drain", [&] { return json({"status"})["phase"] == "draining"; });
  EXPECT_EQ(out({"health"}), "ok\n");
  const ChildResult ready = ctl({"ready"});
  EXPECT_EQ(ready.exit_code, kRefused);
  EXPECT_EQ(ready.err, "");
  EXPECT_EQ(lines_of(ready.out).size(), 1U) << ready.out;
  EXPECT_TRUE(out({"status"}).find(" is draining, healthy and not ready\n") != std::string::npos);
  slow.close();
  EXPECT_EQ(daemon().wait(), 0);
}

TEST_F(EchoctlTest, AnUpgradeReplacesTheProgramAndKeepsTheConnections) {
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  const std::string text = out({"upgrade", "--force"});
  EXPECT_TRUE(matches(text,
                      "^echod [0-9.]+ has replaced echod [0-9.]+: 1 connection went on after "
                      "[0-9.]+ (us|ms|s)\n$"))
      << text;
  EXPECT_TRUE(peer.echoes("after"));
  const std::string status = out({"status"});
  EXPECT_TRUE(
      matches(status, "\nPID " + std::to_string(daemon().pid()) +
                          ", started [^\n]*\n"
                          "program started [^\n]* ago \\(upgrade 1, pause [0-9.]+ [mu]?s\\)\n"))
      << status;
  const Json second = json({"upgrade", "--force"});
  EXPECT_EQ(second["result"], "done");
  EXPECT_EQ(second["connections"], 1);
  EXPECT_GT(second["pause_s"], 0);
  EXPECT_EQ(json({"status"})["upgrades"]["done"], 2);
  EXPECT_TRUE(peer.echoes("again"));
}

TEST_F(EchoctlTest, WithoutAChangeAnUpgradeOnlyReloads) {
  EXPECT_EQ(out({"upgrade"}),
            "applied without an upgrade: neither the program nor a key that needs one has changed; "
            "--force upgrades in any case\n");
  EXPECT_EQ(json({"upgrade"})["result"], "applied");
  EXPECT_EQ(json({"status"})["config"]["reloads_applied"], 2);
  EXPECT_EQ(json({"status"})["upgrades"]["done"], 0);
}

TEST_F(EchoctlTest, ARefusedUpgradeFailsAndSaysWhy) {
  daemon().expect_log("nonsense");
  daemon().expect_log("reload: refused");
  write_file(daemon().config_path(), "nonsense = 1\n");
  for (const auto& arguments : {std::vector<std::string>{"upgrade"}, {"upgrade", "--force"}}) {
    const ChildResult result = ctl(arguments);
    EXPECT_EQ(result.exit_code, kRefused);
    EXPECT_EQ(result.out, "");
    EXPECT_TRUE(matches(result.err, "^echoctl: refused: [^\n]*nonsense: unknown key[^\n]*\n$"))
        << result.err;
  }
  const ChildResult result = ctl({"upgrade", "--force", "--json"});
  EXPECT_EQ(result.exit_code, kRefused);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(Json::parse(result.out)["result"], "refused");
  EXPECT_EQ(json({"status"})["upgrades"]["refused"], 2);
}

// Some of them share an upgrade. All are cut off from the admin socket by each upgrade.
TEST_F(EchoctlTest, UpgradesThatAreOrderedAtTheSameTimeAllEnd) {
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  std::vector<std::unique_ptr<ChildProcess>> upgrades;
  for (int i = 0; i < 5; ++i) {
    upgrades.push_back(
        std::make_unique<ChildProcess>(ChildOptions{.arguments = words({"upgrade", "--force"})}));
  }
  for (const auto& upgrade : upgrades) {
    EXPECT_EQ(upgrade->wait(), 0) << upgrade->err();
    EXPECT_TRUE(matches(upgrade->out(), "^echod [0-9.]+ has replaced echod ")) << upgrade->out();
  }
  EXPECT_GT(json({"status"})["upgrades"]["done"], 0);
  EXPECT_TRUE(peer.echoes("after"));
}

TEST_F(EchoctlTest, ThereIsNoUpgradeDuringADrain) {
  TcpPeer slow = connect();
  send_until_blocked(slow);
  (void)out({"drain"});
  wait_until("the drain", [&] { return json({"status"})["phase"] == "draining"; });
  expect_failure({"upgrade"}, kRefused,
                 "echod refused: echod is stopping: not upgraded (HTTP status 409)");
  slow.close();
  EXPECT_EQ(daemon().wait(), 0);
}

TEST_F(EchoctlTest, WithoutEchodTheErrorSaysWhatToDo) {
  daemon().finish();
  expect_failure({"health"}, kUnavailable,
                 "there is no " + socket() +
                     ": is echod running, and is this its [admin] socket? (--socket PATH names "
                     "another)");
}

TEST_F(EchoctlTest, AKilledEchodIsNotTakenForARunningOne) {
  daemon().signal(SIGKILL);
  EXPECT_EQ(daemon().wait(), 128 + SIGKILL);
  expect_failure({"ready"}, kUnavailable, "echod is not running: it left " + socket() + " behind");
  daemon().finish_stopped(128 + SIGKILL);
}

TEST_F(EchoctlTest, AStuckEchodIsReportedWhenTheTimeIsOver) {
  daemon().freeze();
  expect_failure({"health", "--timeout", "100ms"}, kUnavailable,
                 "no answer from echod at " + socket() +
                     " within 100 ms: it is overloaded or stuck (--timeout waits longer)");
  daemon().thaw();
}

TEST_F(EchoctlTest, OutputThatCannotBeWrittenIsAnError) {
  std::vector<std::string> all{"sh", "-c", "exec \"$@\" >/dev/full", "sh"};
  const std::vector<std::string> command = words({"status"});
  all.insert(all.end(), command.begin(), command.end());
  const ChildResult result = run({.arguments = all});
  EXPECT_EQ(result.exit_code, 71);
  EXPECT_EQ(result.err, "echoctl: cannot write to standard output: No space left on device\n");
}

TEST_F(EchoctlTest, RootAloneAndTheGroupMayUseTheSocket) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to become another user";
  }
  constexpr uid_t kNobody = 65534;
  std::filesystem::permissions(std::filesystem::path(socket()).parent_path(),
                               std::filesystem::perms::others_exec,
                               std::filesystem::perm_options::add);
  const ChildResult result = run({.arguments = words({"health"}), .user = kNobody});
  EXPECT_EQ(result.exit_code, kNoPermission);
  // A build that counts coverage may not write its counts as this user, and complains too.
  EXPECT_NE(result.err.find("echoctl: no permission to use " + socket() +
                            ": members of the group echod may use it (adduser NAME echod), and "
                            "root (sudo)\n"),
            std::string::npos)
      << result.err;
}

}  // namespace
}  // namespace echod::test
