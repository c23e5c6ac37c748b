// An upgrade in place: the same process goes on as another program, with all that it had.
// upgrade_bytes_test is about bytes, upgrade_gap_test about the moment in between,
// upgrade_keys_test and upgrade_listen_test about the configuration, upgrade_refused_test about
// failures.
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <regex>
#include <sstream>

#include "admin_client.hpp"
#include "notify_socket.hpp"
#include "process_facts.hpp"
#include "strace.hpp"
#include "text_match.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class UpgradeTest : public UpgradeFixture {
 protected:
  void TearDown() override {
    peers_.clear();
    UpgradeFixture::TearDown();
  }
  void open_connections(int count) {
    for (int i = 0; i < count; ++i) {
      peers_.push_back(connect());
      ASSERT_TRUE(peers_.back().echoes("hello"));
    }
  }
  void expect_connections_serve() {
    for (TcpPeer& peer : peers_) {
      EXPECT_TRUE(peer.echoes("still here"));
    }
  }
  // Replaces the program by one of another version: the same file, with another last digit in the
  // text of the version. Returns the number of places where it stood.
  [[nodiscard]] std::size_t replace_by_next_version() {
    const std::string version = '\0' + std::string(ECHOD_TEST_VERSION) + '\0';
    std::string program = read_file(ECHOD_BINARY);
    std::size_t replaced = 0;
    for (std::size_t at = 0; (at = program.find(version, at)) != std::string::npos; ++at) {
      program.replace(at + 1, next_version_.size(), next_version_);
      ++replaced;
    }
    const std::string next = daemon().directory().file("next");
    write_file(next, program);
    std::filesystem::permissions(next, std::filesystem::perms::owner_all);
    std::filesystem::rename(next, daemon().program_path());
    return replaced;
  }
  [[nodiscard]] static std::string next_version() {
    std::string version = ECHOD_TEST_VERSION;
    version.back() = version.back() == '9' ? '8' : '9';
    return version;
  }

  const std::string next_version_ = next_version();
  std::vector<TcpPeer> peers_;
};

TEST_F(UpgradeTest, AChangedProgramIsRunThoughNoKeyHasChanged) {
  start_replaceable();
  open_connections(3);
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: applied");
  daemon().expect_counter("upgrades", 0);
  struct stat old_program {};
  ASSERT_EQ(stat(proc_path(daemon().pid(), "exe").c_str(), &old_program), 0);
  upgrade_program();
  struct stat new_program {};
  struct stat file {};
  ASSERT_EQ(stat(proc_path(daemon().pid(), "exe").c_str(), &new_program), 0);
  ASSERT_EQ(stat(daemon().program_path().c_str(), &file), 0);
  EXPECT_NE(new_program.st_ino, old_program.st_ino);
  EXPECT_EQ(new_program.st_ino, file.st_ino);
  expect_connections_serve();
  daemon().expect_counter("upgrades", 1);
}

TEST_F(UpgradeTest, ANewerVersionIsNamedInTheLog) {
  start_replaceable();
  open_connections(1);
  ASSERT_GT(replace_by_next_version(), 0U);
  EXPECT_EQ(request_reload(), 0);
  const std::string line = daemon().wait_for_err(kUpgraded);
  EXPECT_NE(line.find("upgrade: echod " + next_version_ +
                      " has replaced echod " ECHOD_TEST_VERSION ": kept 1 connections"),
            std::string::npos)
      << line;
  (void)daemon().wait_for_err("started: echod " + next_version_ + ", pid " +
                              std::to_string(daemon().pid()));
  upgrade_program();  // And back.
  (void)daemon().wait_for_err("upgrade: echod " ECHOD_TEST_VERSION " has replaced echod " +
                              next_version_);
  expect_connections_serve();
}

TEST_F(UpgradeTest, TheProcessHasTheSameAfterManyOfThem) {
  start_replaceable(DaemonOptions{.config = "workers = 2\n",
                                  .environment = {"KEPT=by all", "LISTEN_FDNAMES=leftover"}});
  const pid_t pid = daemon().pid();
  ASSERT_EQ(setpriority(PRIO_PROCESS, static_cast<id_t>(pid), 3), 0);
  open_connections(20);
  // The worker threads of the first program were started with the nice value of the test.
  upgrade_program();
  expect_connections_serve();
  // The new program may serve before its log thread has opened the file.
  (void)daemon().wait_for_log(kUpgraded, upgrades_);
  const auto facts = facts_of(pid);
  const auto threads = threads_of(pid);
  const auto descriptors = descriptors_of(pid);
  constexpr int kUpgrades = kSanitized ? 4 : 20;
  for (int i = 0; i < kUpgrades; ++i) {
    upgrade_program();
  }
  expect_connections_serve();
  (void)daemon().wait_for_log(kUpgraded, upgrades_);
  EXPECT_EQ(facts_of(pid), facts);
  EXPECT_EQ(threads_of(pid), threads);
  EXPECT_EQ(descriptors_of(pid), descriptors);
  EXPECT_EQ(read_file(proc_path(pid, "maps")).find("memfd:"), std::string::npos)
      << "the state of an upgrade is mapped";
  daemon().expect_counter("upgrades", 1 + kUpgrades);
}

// The new program is a script that notes its environment.
TEST_F(UpgradeTest, TheEnvironmentIsKeptExceptForWhatWasOnlyForTheStart) {
  NotifySocket manager;
  start_replaceable(
      DaemonOptions{.environment = {"KEPT=by all", "LISTEN_FDNAMES=leftover", "LISTEN_PID=1",
                                    "LISTEN_FDS=1", "WATCHDOG_USEC=30000000", manager.variable()}});
  daemon().allow_log("cannot notify the service manager");
  const std::string noted = daemon().directory().file("noted");
  std::filesystem::copy_file(ECHOD_BINARY, daemon().directory().file("echod.next"));
  replace_program_by_script(
      "case \"$*\" in *--check-upgrade*) kind=check ;; *) kind=run ;; esac\n"
      "env >> " +
      noted + ".$kind\nexec " + daemon().directory().file("echod.next") + " \"$@\"");
  daemon().signal(SIGHUP);
  wait_for_upgrade();
  const auto has = [](const std::string& text, const std::string& begin) {
    const auto lines = lines_of(text);
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return line.starts_with(begin); });
  };
  const std::string check = read_file(noted + ".check");
  EXPECT_EQ(has(check, "KEPT=by all"), 1);
  EXPECT_EQ(has(check, "LISTEN_"), 0);
  EXPECT_EQ(has(check, "NOTIFY_SOCKET="), 0);
  EXPECT_EQ(has(check, "WATCHDOG_"), 0);
  const std::string run = read_file(noted + ".run");
  EXPECT_EQ(has(run, "KEPT=by all"), 1);
  EXPECT_EQ(has(run, "LISTEN_"), 0);
  EXPECT_EQ(has(run, "NOTIFY_SOCKET="), 1);
  EXPECT_EQ(has(run, "WATCHDOG_USEC="), 1);
  EXPECT_EQ(has(run, "ECHOD_STATE_FD="), 1);
  daemon().finish();
}

TEST_F(UpgradeTest, TheServiceManagerIsToldOfItsBeginAndItsEnd) {
  NotifySocket manager;
  start_replaceable(DaemonOptions{.config = "workers = 2\n",
                                  .environment = {manager.variable(), "WATCHDOG_USEC=30000000"}});
  open_connections(2);
  (void)manager.wait_for("READY=1");
  for (int round = 0; round < 2; ++round) {
    upgrade_program();
    const std::string reloading = manager.wait_for("RELOADING=1");
    EXPECT_NE(reloading.find("\nMONOTONIC_USEC="), std::string::npos) << reloading;
    EXPECT_EQ(reloading.find("MAINPID="), std::string::npos);
    const std::string ready = manager.wait_for("READY=1");
    EXPECT_NE(ready.find("STATUS=2 connections"), std::string::npos) << ready;
    EXPECT_EQ(ready.find("MAINPID="), std::string::npos);
    (void)manager.wait_for("WATCHDOG=1");  // At once.
  }
  (void)manager.wait_for("WATCHDOG=1");  // After the first check of the workers.
  peers_.clear();
  daemon().finish();
}

TEST_F(UpgradeTest, AnIdleTimeoutAndTheAgeOfAConnectionGoOn) {
  constexpr int kIdleSeconds = kSanitized ? 6 : 2;
  constexpr double kLate = 0.4 * kIdleSeconds;
  start_replaceable("[timeouts]\nidle_s = " + std::to_string(kIdleSeconds) + "\n");
  const auto begin = std::chrono::steady_clock::now();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  std::this_thread::sleep_for(std::chrono::seconds(kIdleSeconds) / 2);  // A part of the idle time.
  upgrade_program();
  const std::chrono::duration<double> upgraded = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  const std::string line = daemon().wait_for_log("close peer=" + peer.name() + ' ');
  EXPECT_TRUE(line.ends_with(" reason=idle_timeout")) << line;
  const std::string name = "duration=";
  const double seconds_open = std::stod(line.substr(line.find(name) + name.size()));
  EXPECT_GE(seconds_open, kIdleSeconds) << "the age starts anew";
  // If the idle time ends during a slow upgrade, the connection is closed right after it.
  EXPECT_LT(seconds_open, std::max<double>(kIdleSeconds, upgraded.count()) + kLate)
      << "the timeout starts anew";
}

// Descriptors may be used up by then: the limit of the whole system, or one that was lowered.
TEST_F(UpgradeTest, ServesWithoutTheAdminThreadIfThatCannotStart) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  start_replaceable(std::string("workers = 1\n"));
  open_connections(2);
  // The next program makes an epoll instance for its main thread, its worker and its admin thread.
  const auto strace =
      attach_strace(daemon().pid(), {"-o", "/dev/null", "-e", "trace=epoll_create1", "-e",
                                     "inject=epoll_create1:error=EMFILE:when=3"});
  if (!strace) {
    GTEST_SKIP() << "strace may not attach here";
  }
  daemon().expect_log("operators cannot connect there; reload to try again");
  const std::string path = daemon().directory().file("admin.sock");
  upgrade_to("workers = 1\n[admin]\nsocket = \"" + path + "\"\n");
  expect_connections_serve();
}

// Dropped lines are reported at most every 10 s, and at the end.
TEST_F(UpgradeTest, ReportsEachDroppedLogLineOnce) {
  start_replaceable("[log]\nqueue_lines = 16\n");
  make_it_drop_log_lines();
  wait_until("all to be closed", [this] { return daemon().counter("connections") == 0; });
  (void)daemon().wait_for_log("log lines were dropped");
  upgrade_program();
  stop_daemon();
  std::uint64_t reported = 0;
  std::uint64_t dropped = 0;
  const std::regex report(" (\\d+) log lines were dropped");
  const std::regex total("counters: .* log_lines_dropped=(\\d+)");
  for (const std::string& line : lines_of(read_file(daemon().log_path()))) {
    std::smatch match;
    if (std::regex_search(line, match, report)) {
      reported += std::stoull(match[1]);
    } else if (std::regex_search(line, match, total)) {
      dropped = std::stoull(match[1]);
    }
  }
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(reported, dropped);
}

class UpgradeCountsTest : public UpgradeTest {
 protected:
  // The values of the metrics that only grow.
  [[nodiscard]] std::map<std::string, double> growing_metrics() {
    std::map<std::string, double> values;
    for (const std::string& line : lines_of(AdminClient(admin_).get("/metrics").body)) {
      const std::size_t space = line.rfind(' ');
      const std::string name = line.substr(0, line.find_first_of("{ "));
      if (name.ends_with("_total") || name.ends_with("_count") || name.ends_with("_sum") ||
          name.ends_with("_bucket")) {
        values[line.substr(0, space)] = std::stod(line.substr(space + 1));
      }
    }
    return values;
  }

  TemporaryDirectory runtime_;
  const std::string admin_ = runtime_.file("admin.sock");
};

TEST_F(UpgradeCountsTest, EveryCounterAndTheHistogramGoOn) {
  start_replaceable(DaemonOptions{
      .config = "workers = 2\n", .environment = {"RUNTIME_DIRECTORY=" + runtime_.path().string()}});
  open_connections(10);
  for (int round = 0; round < 200; ++round) {
    for (TcpPeer& peer : peers_) {
      ASSERT_TRUE(peer.echoes("hello"));
    }
  }
  peers_.pop_back();
  peers_.back().reset();
  peers_.pop_back();
  daemon().expect_counter("connections", 8);
  const auto metrics = growing_metrics();
  ASSERT_GT(metrics.at("echod_server_delay_seconds_count"), 0);
  for (int round = 1; round <= 2; ++round) {
    const auto before = daemon().counters();
    upgrade_program();
    auto after = daemon().counters();
    for (const std::string gauge : {"buffered_bytes", "connections_of_fullest_worker"}) {
      after[gauge] = before.at(gauge);
    }
    for (const std::string own : {"upgrades", "reloads"}) {
      EXPECT_EQ(after[own], before.at(own) + 1) << own;
      after[own] = before.at(own);
    }
    EXPECT_EQ(after, before);
  }
  const auto later = growing_metrics();
  for (const auto& [name, value] : metrics) {
    const auto found = later.find(name);
    ASSERT_NE(found, later.end()) << name << " has gone";
    EXPECT_GE(found->second, value) << name;
  }
  expect_connections_serve();
  EXPECT_EQ(daemon().counter("accepted"), 10U);
  EXPECT_EQ(daemon().counter("connections"), 8U);
}

class UpgradeStormTest : public UpgradeTest {
 protected:
  // Configurations that need an upgrade, each other one also a new program.
  void hang_up(int times) {
    for (int i = 0; i < times; ++i) {
      if (i % 10 == 0) {
        replace_program();
      }
      write_config("[limits]\nopen_files = " + std::to_string(kFewFiles + i) + '\n');
      daemon().signal(SIGHUP);
      EXPECT_TRUE(peers_[static_cast<std::size_t>(i) % peers_.size()].echoes("in the storm"));
    }
  }

  static constexpr int kFewFiles = 200;
};

TEST_F(UpgradeStormTest, TheLastConfigurationOfFiftyWins) {
  start_replaceable();
  open_connections(10);
  hang_up(50);
  EXPECT_EQ(request_reload(), 0) << "answered when it is applied";
  const std::string last = std::to_string(kFewFiles + 49);
  const std::string limits = read_file(proc_path(daemon().pid(), "limits"));
  EXPECT_TRUE(matches(limits, "Max open files +" + last + ' ')) << limits;
  expect_connections_serve();
  const auto counters = daemon().counters();
  EXPECT_GE(counters.at("upgrades"), 1U);
  EXPECT_EQ(counters.at("upgrades_refused") + counters.at("upgrades_failed"), 0U);
  EXPECT_EQ(counters.at("connections"), peers_.size());
}

TEST_F(UpgradeStormTest, AStopRightAfterItIsNotLost) {
  start_replaceable();
  open_connections(5);
  for (int round = 0; round < 3; ++round) {
    hang_up(10 * (round + 1));
    daemon().allow_log("but echod is stopping: not upgraded");  // The stop may come first.
    daemon().allow_log("reload: refused");
    daemon().signal(SIGTERM);
    for (TcpPeer& peer : peers_) {
      EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
    }
    peers_.clear();
    daemon().finish_stopped();
    if (round < 2) {
      start_replaceable();
      open_connections(5);
    }
  }
}

}  // namespace
}  // namespace echod::test
