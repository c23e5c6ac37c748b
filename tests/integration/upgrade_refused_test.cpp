// An upgrade that cannot succeed changes nothing: the old program serves on, says why, counts it,
// and takes a correct program later.
#include <csignal>
#include <functional>
#include <optional>

#include "notify_socket.hpp"
#include "passed_listener.hpp"
#include "reserved_port.hpp"
#include "sizes.hpp"
#include "stopped_thread.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {
namespace {

// What is wrong with the new program.
enum class UpgradeFault : std::uint8_t {
  configuration,
  address_in_use,
  truncated,
  not_executable,
  missing,
  directory,
  exits,
  prints_nothing,
  killed,
  hangs,
};

struct UpgradeRefusal {
  UpgradeFault fault;
  std::string name;
  std::string said;  // In the log, and in the status for the service manager_.
};

class UpgradeRefusedTest : public UpgradeFixture,
                           public testing::WithParamInterface<UpgradeRefusal> {
 protected:
  void make_fault() {
    const std::string program = daemon().program_path();
    switch (GetParam().fault) {
      case UpgradeFault::configuration:
        replace_program();
        write_config("nonsense = 1\n");
        return;
      case UpgradeFault::address_in_use:
        write_config(in_use_.config());
        return;
      case UpgradeFault::truncated:
        truncate_program();
        return;
      case UpgradeFault::not_executable:
        replace_program();
        std::filesystem::permissions(program, std::filesystem::perms::owner_read);
        return;
      case UpgradeFault::missing:
        std::filesystem::remove(program);
        return;
      case UpgradeFault::directory:
        std::filesystem::remove(program);
        std::filesystem::create_directory(program);
        return;
      case UpgradeFault::exits:
        replace_program_by_script("echo first >&2; echo 'no luck today' >&2; exit 1");
        return;
      case UpgradeFault::prints_nothing:
        replace_program_by_script("exit 0");
        return;
      case UpgradeFault::killed:
        replace_program_by_script("kill -SEGV $$");
        return;
      case UpgradeFault::hangs:
        replace_program_by_script("exec sleep 1000");
        return;
    }
  }

 private:
  void truncate_program() {
    const std::string copy = daemon().directory().file("echod.cut");
    std::filesystem::copy_file(ECHOD_BINARY, copy);
    std::filesystem::resize_file(copy, 64 * kKib);
    std::filesystem::rename(copy, daemon().program_path());
  }

  const PassedListener in_use_;

 protected:
  NotifySocket manager_;
};

TEST_P(UpgradeRefusedTest, TheOldProgramServesOnAndTakesACorrectOneLater) {
  // Listens as the file says, so that a test can change it.
  const ReservedPort port;
  const std::string config =
      "[[listen]]\naddress = \"127.0.0.1\"\nport = " + std::to_string(port.port()) + '\n';
  start_replaceable({.config = config, .environment = {manager_.variable()}});
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("before"));
  (void)manager_.wait_for("READY=1");
  daemon().expect_log(GetParam().said);
  daemon().expect_log("reload: refused, the running configuration is kept");
  make_fault();
  EXPECT_EQ(request_reload(), kReloadRefused);
  EXPECT_TRUE(peer.echoes("the same connection"));
  EXPECT_TRUE(connect().echoes("a new connection"));
  const auto counters = daemon().counters();
  EXPECT_EQ(counters.at("upgrades_refused"), 1U);
  EXPECT_EQ(counters.at("upgrades_failed"), 0U);
  EXPECT_EQ(counters.at("upgrades"), 0U);
  EXPECT_EQ(counters.at("reloads_refused"), 1U);
  (void)manager_.wait_for("RELOADING=1");
  const std::string status = manager_.wait_for("READY=1");
  EXPECT_NE(status.find("; the last reload was refused: "), std::string::npos) << status;
  EXPECT_NE(status.find(GetParam().said), std::string::npos) << status;

  write_config(config);
  if (GetParam().fault == UpgradeFault::directory) {
    std::filesystem::remove(daemon().program_path());
  }
  replace_program();
  EXPECT_EQ(request_reload(), 0);
  wait_for_upgrade();
  EXPECT_TRUE(peer.echoes("after"));
  daemon().expect_counter("upgrades", 1);
  daemon().expect_counter("upgrades_refused", 1);
  EXPECT_EQ(manager_.wait_for("READY=1").find("refused"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, UpgradeRefusedTest,
    testing::Values(
        UpgradeRefusal{UpgradeFault::configuration, "Configuration", "nonsense"},
        UpgradeRefusal{UpgradeFault::address_in_use, "AddressInUse", "Address already in use"},
        UpgradeRefusal{UpgradeFault::truncated, "Truncated", "/echod "},
        UpgradeRefusal{UpgradeFault::not_executable, "NotExecutable", "Permission denied"},
        UpgradeRefusal{UpgradeFault::missing, "Missing", "No such file or directory"},
        UpgradeRefusal{UpgradeFault::directory, "Directory", "Permission denied"},
        UpgradeRefusal{UpgradeFault::exits, "Exits", "/echod: no luck today"},
        UpgradeRefusal{UpgradeFault::prints_nothing, "PrintsNothing", "printed no configuration"},
        UpgradeRefusal{UpgradeFault::killed, "Killed", "was killed by SIGSEGV"},
        UpgradeRefusal{UpgradeFault::hangs, "Hangs", "gave no answer within 10 s"}),
    [](const auto& tested) { return tested.param.name; });

class UpgradeFailedTest : public UpgradeFixture {};

TEST_F(UpgradeFailedTest, AStuckWorkerFailsItAndTheOthersServeOn) {
  start_replaceable("workers = 2\n");
  daemon().expect_log("upgrade: a worker did not stop within 2 s");
  daemon().expect_log("reload: refused");
  daemon().allow_log("worker 0 has not answered");
  daemon().allow_log("worker 0 answers again");
  std::vector<TcpPeer> peers;
  fill_equally(peers, 6);
  {
    const StoppedThread stuck(daemon().pid(), "worker-0");
    replace_program();
    EXPECT_EQ(request_reload(), kReloadRefused);
    for (TcpPeer& peer : peers) {
      peer.send_all("ping");
    }
    std::size_t answered = 0;
    wait_until("the clients of the other worker to be served", [&] {
      answered = 0;
      for (TcpPeer& peer : peers) {
        answered += peer.has_news() ? 1U : 0U;
      }
      return answered >= 3;
    });
    EXPECT_EQ(answered, 3U);
    daemon().expect_counter("upgrades_failed", 1);
    daemon().expect_counter("upgrades_refused", 0);
  }
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_exactly(4), "ping");
  }
  daemon().signal(SIGHUP);
  wait_for_upgrade();
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("after"));
  }
  daemon().expect_counter("upgrades_failed", 1);
}

TEST_F(UpgradeFailedTest, AStopDuringTheCheckEndsAtOnce) {
  start_replaceable();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  const std::string begun = daemon().directory().file("begun");
  replace_program_by_script("echo $$ > " + begun + ".new; mv " + begun + ".new " + begun +
                            "; exec sleep 1000");
  daemon().signal(SIGHUP);
  wait_until("the check", [&] { return std::filesystem::exists(begun); });
  const pid_t checker = std::stoi(read_file(begun));
  daemon().signal(SIGTERM);
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.close();
  EXPECT_EQ(daemon().wait(Deadline(kAtOnce)), 0);
  daemon().finish_stopped();
  EXPECT_TRUE(eventually([checker] { return kill(checker, 0) != 0; }, Deadline(kAtOnce)))
      << "the program that was checked is left behind";
  (void)kill(checker, SIGKILL);
}

TEST_F(UpgradeFailedTest, AReloadWhileItStopsAppliesNothingIfAKeyNeedsAnUpgrade) {
  const std::string timeouts = "[timeouts]\nlinger_s = 600\ndrain_s = 600\n";
  start_replaceable(timeouts);
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  daemon().signal(SIGTERM);
  (void)daemon().wait_for_err("stopping because of SIGTERM");
  daemon().expect_log("upgrade: workers has changed, but echod is stopping: not upgraded");
  daemon().expect_log("reload: refused");
  write_config("workers = 3\n[limits]\nmax_connections = 7\n" + timeouts);
  EXPECT_EQ(request_reload(), kReloadRefused);
  daemon().expect_counter("reloads", 0);
  peer.close();
  daemon().finish_stopped();
}

TEST_F(UpgradeFailedTest, AReloadThatIsRequestedDuringTheCheckIsDoneAfterIt) {
  start_replaceable();
  daemon().expect_log("upgrade: ");
  daemon().expect_log("reload: refused");
  const std::string folder = daemon().directory().path();
  replace_program_by_script(": > " + folder + "/begun; while [ ! -e " + folder +
                            "/end ]; do sleep 0.05; done; exit 1");
  daemon().signal(SIGHUP);
  wait_until("the check", [&] { return std::filesystem::exists(folder + "/begun"); });
  replace_program();
  ChildProcess requester({.arguments = {ECHOD_BINARY, "--reload", std::to_string(daemon().pid())}});
  (void)daemon().wait_for_log("log file reopened", 2);  // So the request was received.
  daemon().signal(SIGHUP);  // Of someone who does not wait for an answer.
  (void)daemon().wait_for_log("log file reopened", 3);
  write_file(folder + "/end", "");
  EXPECT_EQ(requester.wait(), 0) << "answered by the reload that followed";
  wait_for_upgrade();
  daemon().expect_counter("upgrades", 1);
  daemon().expect_counter("upgrades_refused", 1);
}

}  // namespace
}  // namespace echod::test
