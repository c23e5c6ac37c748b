// What operators see of a real echod and what they may do, over the admin socket.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "admin_client.hpp"
#include "child_process.hpp"
#include "daemon_test.hpp"
#include "files.hpp"
#include "stopped_thread.hpp"

namespace echod::test {
namespace {

class AdminSocketTest : public DaemonTest {
 protected:
  void start_with_admin(const std::string& config = "") {
    (void)start(
        {.config = config, .environment = {"RUNTIME_DIRECTORY=" + runtime_.path().string()}});
  }
  [[nodiscard]] AdminAnswer ask(const std::string& target, const std::string& method = "GET") {
    return client_.request(method, target);
  }
  [[nodiscard]] nlohmann::json status() { return nlohmann::json::parse(ask("/status").body); }

  TemporaryDirectory runtime_;
  const std::string path_ = runtime_.file("admin.sock");
  const AdminClient client_{path_};
};

TEST_F(AdminSocketTest, IsForOwnerAndGroupWhateverTheUmask) {
  const mode_t umask_before = umask(0);
  start_with_admin();
  umask(umask_before);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
}

TEST_F(AdminSocketTest, IsRemovedAtTheEnd) {
  start_with_admin();
  EXPECT_EQ(ask("/healthz").status, 200);
  daemon().finish();
  struct stat status {};
  EXPECT_NE(stat(path_.c_str(), &status), 0);
}

TEST_F(AdminSocketTest, OfAKilledEchodIsTakenOver) {
  start_with_admin();
  daemon().signal(SIGKILL);
  (void)daemon().wait();
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  daemon().finish_stopped(128 + SIGKILL);
  start_with_admin();
  EXPECT_EQ(ask("/healthz").status, 200);
}

TEST_F(AdminSocketTest, IsNotTakenFromALiveEchod) {
  start_with_admin();
  const std::string config = runtime_.file("second.toml");
  write_file(config, "[admin]\nsocket = \"" + path_ +
                         "\"\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  const ChildResult refused = run_echod({"--config", config, "--log-file", ""});
  EXPECT_EQ(refused.exit_code, 69);
  EXPECT_NE(refused.err.find("cannot open the admin socket"), std::string::npos) << refused.err;
  EXPECT_NE(
      refused.err.find("another process serves it; stop that one, or choose another admin.socket"),
      std::string::npos)
      << refused.err;
  EXPECT_EQ(ask("/healthz").status, 200);
}

TEST_F(AdminSocketTest, NeverReplacesAFileThatIsNoSocket) {
  write_file(path_, "precious");
  const std::string config = runtime_.file("echod.toml");
  write_file(config, "[admin]\nsocket = \"" + path_ +
                         "\"\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  const ChildResult refused = run_echod({"--config", config, "--log-file", ""});
  EXPECT_EQ(refused.exit_code, 69);
  EXPECT_NE(refused.err.find("a file that is not a socket has this name"), std::string::npos)
      << refused.err;
  EXPECT_EQ(read_file(path_), "precious");
}

TEST_F(AdminSocketTest, StaysHealthyAndIsNotReadyDuringADrain) {
  start_with_admin("[timeouts]\ndrain_s = 3600\nstalled_write_s = 0\n");
  EXPECT_EQ(ask("/readyz").status, 200);
  TcpPeer slow = connect({.receive_buffer_bytes = 4096});
  const std::string owed(100000, 'x');
  slow.send_all(owed);
  daemon().signal(SIGTERM);
  (void)daemon().wait_for_log("stopping because of");
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/readyz").body, "draining\n");
  EXPECT_EQ(status()["phase"], "draining");
  wait_until("the listener to be closed", [this] { return !status()["listeners"][0]["is_open"]; });
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(slow.receive_exactly(owed.size()), owed);
  slow.half_close();
  EXPECT_EQ(slow.receive_to_end().bytes, "");
  EXPECT_EQ(daemon().wait(), 0);
}

TEST_F(AdminSocketTest, ASecondRequestToDrainEndsNoConnection) {
  start_with_admin("[timeouts]\ndrain_s = 3600\n");
  TcpPeer slow = connect({.receive_buffer_bytes = 4096});
  const std::string owed(100000, 'x');
  slow.send_all(owed);
  EXPECT_EQ(ask("/drain", "POST").status, 202);
  (void)daemon().wait_for_log("stopping because of");
  const double begin = status()["now"];
  wait_until("a second to pass, after which a signal would force the stop",
             [&] { return status()["now"] > begin + 1.1; });
  EXPECT_EQ(ask("/drain", "POST").status, 202);
  EXPECT_EQ(slow.receive_exactly(owed.size()), owed);
  slow.half_close();
  EXPECT_EQ(slow.receive_to_end().ending, Ending::fin);
  EXPECT_EQ(daemon().wait(), 0);
}

TEST_F(AdminSocketTest, ClosesAClientThatIsOwedBytesByAReset) {
  start_with_admin();
  TcpPeer slow = connect({.receive_buffer_bytes = 4096});
  slow.send_all(std::string(1000000, 'x'));
  wait_until("bytes to be owed", [this] {
    const auto list = nlohmann::json::parse(ask("/connections?sort=owed").body);
    return list["connections"].at(0)["owed_bytes"] > 0;
  });
  EXPECT_EQ(ask("/connections?network=127.0.0.0/8", "DELETE").status, 200);
  EXPECT_EQ(slow.receive_to_end().ending, Ending::reset);
}

TEST_F(AdminSocketTest, DrainsOnRequest) {
  start_with_admin();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("before"));
  EXPECT_EQ(ask("/drain", "POST").status, 202);
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.close();
  EXPECT_EQ(daemon().wait(), 0);
  EXPECT_EQ(
      daemon().count_log(
          "stopping because of a request of an operator; connections may finish for at most 30 s"),
      1U);
}

TEST_F(AdminSocketTest, ChangesLogLevelsUntilTheNextReload) {
  start_with_admin();
  EXPECT_EQ(ask("/log-level?file=trace", "POST").status, 200);
  (void)daemon().wait_for_log("an operator set the log levels: file trace, standard error error");
  TcpPeer peer = connect();
  wait_until("a line for a message", [&] {
    EXPECT_TRUE(peer.echoes("12345"));
    return daemon().count_log("TRACE") > 0;
  });
  wait_until("the status to say so", [this] { return status()["log"]["file_level"] == "trace"; });
  daemon().reload("");
  (void)daemon().wait_for_log("reload: applied");
  wait_until("the level of the file", [this] { return status()["log"]["file_level"] == "debug"; });
  peer.close();
}

TEST_F(AdminSocketTest, ShowsTheConfigurationInForceAndReloads) {
  start_with_admin();
  const auto before = status();
  EXPECT_EQ(before["phase"], "serving");
  EXPECT_EQ(before["pid"], daemon().pid());
  EXPECT_EQ(before["config"]["name"], daemon().config_path());
  EXPECT_EQ(before["config"]["reloads_applied"], 0);
  daemon().reload("[limits]\nmax_connections = 17\n");
  (void)daemon().wait_for_log("reload: applied");
  wait_until("the reload to be shown",
             [this] { return status()["config"]["reloads_applied"] == 1; });
  const auto after = status();
  EXPECT_EQ(after["max_connections"], 17);
  EXPECT_NE(after["config"]["text"].get<std::string>().find("max_connections = 17"),
            std::string::npos);
  EXPECT_GT(after["config"]["loaded_at"], before["config"]["loaded_at"]);
  daemon().expect_log("reload: refused");
  daemon().allow_log("echod.toml");
  daemon().reload("[limits]\nmax_connections = -1\n");
  wait_until("the refusal", [this] { return status()["config"]["reloads_refused"] == 1; });
  EXPECT_NE(status()["config"]["reload_error"].get<std::string>().find("max_connections"),
            std::string::npos);
  EXPECT_EQ(status()["max_connections"], 17);
  EXPECT_FALSE(status()["log"]["trouble"].empty());
}

// One client fills the daemon, so the others wait in the accept queue.
TEST_F(AdminSocketTest, ShowsTheAcceptQueueOfAListener) {
  start_with_admin(
      "[limits]\nmax_connections = 1\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\nbacklog = "
      "3\n");
  daemon().allow_log("accepting paused");
  daemon().allow_log("max_connections");
  TcpPeer first = connect();
  EXPECT_TRUE(first.echoes("x"));
  std::vector<TcpPeer> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(connect());
  }
  wait_until("three clients in the queue",
             [this] { return status()["listeners"][0]["waiting"] == 3; });
  EXPECT_EQ(status()["listeners"][0]["queue_limit"], 3);
  EXPECT_EQ(status()["connections"], 1);
  first.close();
  for (TcpPeer& peer : waiting) {
    EXPECT_TRUE(peer.echoes("x"));
    peer.close();
  }
  wait_until("an empty queue", [this] { return status()["listeners"][0]["waiting"] == 0; });
}

TEST_F(AdminSocketTest, AnswersWhileAllDescriptorsAreUsedByConnections) {
  (void)start({.config = "[limits]\nopen_files = 256\n",
               .environment = {"RUNTIME_DIRECTORY=" + runtime_.path().string()}});
  daemon().allow_log("max_connections");
  daemon().allow_log("open files");
  const auto most = status()["max_connections"].get<std::size_t>();
  std::vector<TcpPeer> peers;
  for (std::size_t i = 0; i < most; ++i) {
    peers.push_back(connect());
    EXPECT_TRUE(peers.back().echoes("x"));
  }
  EXPECT_EQ(status()["connections"], most);
  const auto list = nlohmann::json::parse(ask("/connections?limit=1000").body);
  EXPECT_EQ(list["connections"].size(), most);
  EXPECT_GE(status()["open_files"], most);
}

TEST_F(AdminSocketTest, ShowsTheOtherWorkersIfOneIsStuck) {
  start_with_admin("workers = 2\n");
  daemon().expect_log("worker 0 has not answered for 6 s");
  daemon().expect_log("worker 0 answers again");
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect());
    EXPECT_TRUE(peers.back().echoes("x"));
  }
  {
    const StoppedThread stuck(daemon().pid(), "worker-0");
    const auto list = nlohmann::json::parse(ask("/connections").body);
    EXPECT_EQ(list["silent_workers"], nlohmann::json::array({0}));
    EXPECT_EQ(list["total"], list["connections"].size());
    EXPECT_LT(list["total"], 4);
    EXPECT_GT(list["total"], 0);
    wait_until("the worker to count as stuck", [this] { return ask("/healthz").status == 503; });
    EXPECT_EQ(ask("/healthz").body, "worker 0 does not answer\n");
    EXPECT_EQ(ask("/readyz").status, 200);
  }
  wait_until("the worker to answer again", [this] { return ask("/healthz").status == 200; });
  EXPECT_EQ(nlohmann::json::parse(ask("/connections").body)["total"], 4);
}

// More clients than the admin thread serves, of which none completes its request.
TEST_F(AdminSocketTest, AnswersBesideSilentClientsAndLeavesNothingBehind) {
  start_with_admin();
  {
    std::vector<AdminConnection> silent;
    for (int i = 0; i < 200; ++i) {
      silent.push_back(client_.begin(i % 2 == 0 ? "" : "GET /healthz HTTP/1.1\r\nHost"));
      if (i % 20 == 0) {
        EXPECT_EQ(ask("/healthz").status, 200);
      }
    }
    EXPECT_EQ(ask("/healthz").status, 200);
  }
  // finish() counts the descriptors.
  wait_until("the silent clients to be gone",
             [this] { return status()["open_files"].get<std::size_t>() < 60; });
}

// Sanitizers keep freed memory.
TEST_F(AdminSocketTest, RefusesHeadersWithoutAnEndAndKeepsNoneOfThem) {
  start_with_admin();
  const auto before = status()["process"]["resident_bytes"].get<std::uint64_t>();
  const AdminConnection connection(path_);
  // Until everything is sent, or echod stops discarding what follows the answer.
  bool is_open = connection.sends("GET / HTTP/1.1\r\nHost: localhost\r\n");
  for (int i = 0; is_open && i < 12 * 1024; ++i) {
    is_open = connection.sends("X-Filler: " + std::string(1012, 'x') + "\r\n");
  }
  EXPECT_EQ(connection.answer().status, 431);
  const auto memory = status()["process"]["resident_bytes"].get<std::uint64_t>();
  EXPECT_LT(memory, before + (std::uint64_t{2} << 20U));
  EXPECT_EQ(ask("/healthz").status, 200);
}

class AdminUpgradeTest : public AdminSocketTest {
 protected:
  using Json = nlohmann::json;

  // Waits until the order is carried out. An upgrade cuts the connections of the admin socket,
  // maybe amid an answer.
  [[nodiscard]] Json status_after(const std::string& order) {
    EXPECT_EQ(ask(order, "POST").status, 202);
    Json now;
    wait_until("the end of the reload", [&] {
      try {
        now = status();
      } catch (const std::exception&) {
        return false;
      }
      return now["phase"] == "serving" && !now["config"]["is_reload_in_progress"];
    });
    return now;
  }
};

TEST_F(AdminUpgradeTest, ShowsAnUpgradeThatWasOrdered) {
  start_with_admin();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("before"));
  const Json before = status();
  EXPECT_EQ(before["upgrades"]["done"], 0);
  EXPECT_EQ(before["started_at"], before["program_started_at"]);
  EXPECT_EQ(ask("/").body.find("This program started"), std::string::npos);
  const Json after = status_after("/upgrade?force=true");
  EXPECT_EQ(after["upgrades"]["done"], 1);
  EXPECT_EQ(after["upgrades"]["earlier_version"], before["version"]);
  EXPECT_EQ(after["upgrades"]["last_connections"], 1);
  EXPECT_GT(after["upgrades"]["last_pause_s"], 0);
  EXPECT_EQ(after["upgrades"]["last_error"], "");
  EXPECT_EQ(after["pid"], before["pid"]);
  EXPECT_EQ(after["started_at"], before["started_at"]);
  EXPECT_GT(after["program_started_at"], before["program_started_at"]);
  EXPECT_EQ(after["connections"], 1);
  EXPECT_EQ(after["config"]["reloads_applied"], 1);
  EXPECT_NE(ask("/").body.find("1 upgrade in all, the last with a pause of "), std::string::npos);
  EXPECT_NE(ask("/metrics").body.find("\nechod_upgrades_total{result=\"done\"} 1\n"),
            std::string::npos);
  EXPECT_EQ(daemon().count_log("upgrading in place because an operator requested it; checking "),
            1U);
  EXPECT_TRUE(peer.echoes("after"));
  peer.close();
  daemon().finish();
  struct stat status {};
  EXPECT_NE(stat(path_.c_str(), &status), 0) << "the socket was left behind";
}

TEST_F(AdminUpgradeTest, WithoutForceOnlyReloadsIfNothingNeedsAnUpgrade) {
  start_with_admin();
  const double started_at = status()["program_started_at"];
  const Json after = status_after("/upgrade");
  EXPECT_EQ(after["config"]["reloads_applied"], 1);
  EXPECT_EQ(after["upgrades"]["done"], 0);
  EXPECT_EQ(after["program_started_at"], started_at);
}

TEST_F(AdminUpgradeTest, SaysWhyTheLastUpgradeWasRefusedUntilOneIsDone) {
  start_with_admin();
  daemon().expect_log("nonsense: unknown key");
  daemon().expect_log("reload: refused");
  write_file(daemon().config_path(), "nonsense = 1\n");
  const Json refused = status_after("/upgrade?force=true");
  EXPECT_EQ(refused["upgrades"]["refused"], 1);
  EXPECT_EQ(refused["config"]["reloads_refused"], 1);
  const std::string why = refused["upgrades"]["last_error"];
  EXPECT_NE(why.find("nonsense: unknown key"), std::string::npos) << why;
  EXPECT_NE(ask("/").body.find("The last reload was refused"), std::string::npos);
  write_file(daemon().config_path(), "");
  const Json applied = status_after("/upgrade");
  EXPECT_EQ(applied["config"]["reload_error"], "");
  EXPECT_EQ(applied["upgrades"]["last_error"], why);
  const Json done = status_after("/upgrade?force=true");
  EXPECT_EQ(done["upgrades"]["done"], 1);
  EXPECT_EQ(done["upgrades"]["refused"], 1);
  EXPECT_EQ(done["upgrades"]["last_error"], "");
}

TEST_F(AdminUpgradeTest, ListsTheConnectionsOfAListenerThatWasRemoved) {
  const std::string kept = "[[listen]]\naddress = \"127.0.0.2\"\nport = 0\n";
  start_with_admin("[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n" + kept);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("before"));
  write_file(daemon().config_path(), kept);
  const Json after = status_after("/upgrade");
  EXPECT_EQ(after["connections"], 1);
  ASSERT_EQ(after["listeners"].size(), 2U);
  EXPECT_EQ(after["listeners"][1]["address"], "removed");
  EXPECT_EQ(after["listeners"][1]["connections"], 1);
  const Json list = Json::parse(ask("/connections").body);
  ASSERT_EQ(list["total"], 1);
  EXPECT_EQ(list["connections"][0]["listener"], "removed");
  EXPECT_EQ(list["connections"][0]["peer"], peer.name());
  EXPECT_TRUE(peer.echoes("after"));
  peer.close();
  wait_until("the close", [this] { return status()["connections"] == 0; });
  EXPECT_EQ(status()["listeners"].size(), 1U);
}

TEST_F(AdminUpgradeTest, KeepsTheOrderToDrain) {
  start_with_admin();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("before"));
  EXPECT_EQ(ask("/upgrade?force=true", "POST").status, 202);
  (void)daemon().wait_for_log("upgrading in place because an operator requested it; checking ");
  wait_until("the order to drain to be taken", [this] {
    try {
      return ask("/drain", "POST").status == 202;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
  EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
  peer.close();
  EXPECT_EQ(daemon().wait(), 0);
  EXPECT_EQ(daemon().count_log("stopping because of a request of an operator"), 1U);
}

TEST_F(AdminSocketTest, IsNotOpenedWithoutARuntimeDirectory) {
  start();
  EXPECT_EQ(daemon().count_log("admin requests"), 0U);
}

}  // namespace
}  // namespace echod::test
