// The admin thread beside real workers with real connections. The service is a stand-in, because a
// stuck worker cannot be had on demand.
#include "admin/admin.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "admin_client.hpp"
#include "config/key_type.hpp"
#include "files.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

class StandInService final : public ServiceAccess {
 public:
  [[nodiscard]] Phase phase() const noexcept override { return phase_.load(); }
  [[nodiscard]] bool is_stuck(std::size_t worker) const noexcept override {
    return worker < stuck_.load();
  }
  [[nodiscard]] std::uint64_t worker_stalls() const noexcept override { return 0; }
  [[nodiscard]] ServiceFacts facts() const override {
    ServiceFacts facts;
    facts.reloads_applied = 7;
    facts.upgrades.done = 3;
    facts.is_reload_in_progress = reload_.load() != kNoReload;
    return facts;
  }
  [[nodiscard]] LogSnapshot log() const override {
    LogSnapshot log;
    log.has_file = has_file_.load();
    log.file_level = level_name(levels_.file.value_or(LogLevel::debug));
    log.stderr_level = level_name(levels_.stderr_level.value_or(LogLevel::error));
    return log;
  }
  void report(std::string_view /*problem*/, int /*error*/) noexcept override {}
  void set_log_levels(const LogLevels& levels) noexcept override { levels_ = levels; }
  void drain() noexcept override { has_drained_.store(true); }
  void reload(ReloadMode mode) noexcept override { reload_.store(static_cast<int>(mode)); }

  std::atomic<Phase> phase_{Phase::serving};
  std::atomic<std::size_t> stuck_{0};  // The first so many workers.
  static constexpr int kNoReload = -1;

  std::atomic<bool> has_drained_{false};
  std::atomic<int> reload_{kNoReload};  // The ReloadMode of the last order.
  std::atomic<bool> has_file_{true};
  LogLevels levels_;  // Read it after the answer.
};

EchoSettings settings() {
  Config config;
  config.timeouts.idle = {};
  return echo_settings(config, 100, 2);
}

class AdminTest : public testing::Test {
 protected:
  static constexpr std::size_t kWorkers = 2;

  explicit AdminTest(const std::function<void(Workers&)>& before_start = [](Workers&) {}) {
    for (int i = 0; i < 2; ++i) {
      listeners_.push_back(std::make_shared<const sys::ListenSocket>(
          sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 16, false, SocketOptions{})));
      workers_.listen(listeners_.back());
    }
    before_start(workers_);
    workers_.start();
    admin_.emplace(workers_, service_, listeners_);
    admin_->listen(path_);
    admin_->listen(*SocketAddress::parse("127.0.0.1", 0));
    admin_->start();
  }

  [[nodiscard]] std::uint16_t port(std::size_t listener = 0) const {
    return listeners_[listener]->address.port();
  }
  [[nodiscard]] AdminAnswer ask(const std::string& target, const std::string& method = "GET") {
    return client_.request(method, target);
  }
  [[nodiscard]] nlohmann::json json(const std::string& target, const std::string& method = "GET") {
    return nlohmann::json::parse(ask(target, method).body);
  }
  [[nodiscard]] nlohmann::json connections(const std::string& query = "") {
    return json("/connections" + query);
  }
  // Over TCP.
  [[nodiscard]] AdminAnswer ask_read_only(const std::string& target,
                                          const std::string& method = "GET",
                                          const std::string& host = "localhost") {
    const std::string address = admin_->addresses().back();
    TcpPeer peer("127.0.0.1",
                 static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    peer.send_all(request_text(method, target, host));
    return read_answer(peer.fd());
  }
  // Connected clients that have each sent and received as many bytes as their number.
  [[nodiscard]] std::vector<TcpPeer> clients(std::size_t count, std::size_t listener = 0) {
    std::vector<TcpPeer> peers;
    for (std::size_t i = 0; i < count; ++i) {
      peers.emplace_back("127.0.0.1", port(listener));
      EXPECT_TRUE(peers.back().echoes(std::string(i + 1, 'x')));
    }
    return peers;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("admin.sock");
  const AdminClient client_{path_};
  StandInService service_;
  std::shared_ptr<spdlog::logger> logger_ =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  Workers workers_{kWorkers, settings(), logger_, {[] {}, [](int) {}}};
  std::vector<std::shared_ptr<const sys::ListenSocket>> listeners_;
  std::optional<Admin> admin_;
  std::optional<TcpPeer> orphan_;  // Of RemovedListenerTest.
};

TEST_F(AdminTest, IsHealthyAndReadyWhileItServes) {
  EXPECT_EQ(ask("/healthz").status, 200);
  EXPECT_EQ(ask("/healthz").body, "ok\n");
  EXPECT_EQ(ask("/readyz").status, 200);
  EXPECT_EQ(ask("/readyz").body, "ready\n");
}

TEST_F(AdminTest, IsHealthyButNotReadyWhileItStartsOrDrains) {
  for (const Phase phase : {Phase::starting, Phase::draining}) {
    service_.phase_ = phase;
    EXPECT_EQ(ask("/healthz").status, 200);
    EXPECT_EQ(ask("/readyz").status, 503);
    EXPECT_EQ(ask("/readyz").body, std::string(name_of(phase)) + '\n');
  }
}

TEST_F(AdminTest, IsUnhealthyIfAWorkerIsStuckAndNotReadyIfAllAre) {
  service_.stuck_ = 1;
  EXPECT_EQ(ask("/healthz").status, 503);
  EXPECT_EQ(ask("/healthz").body, "worker 0 does not answer\n");
  EXPECT_EQ(ask("/readyz").status, 200);
  service_.stuck_ = kWorkers;
  EXPECT_EQ(ask("/readyz").status, 503);
  EXPECT_EQ(ask("/readyz").body, "no worker answers\n");
}

TEST_F(AdminTest, IsNotReadyWithoutAListener) {
  listeners_.clear();
  workers_.drain();
  wait_until("the listeners to be closed", [this] { return ask("/readyz").status == 503; });
  EXPECT_EQ(ask("/readyz").body, "no listener is open\n");
}

TEST_F(AdminTest, ListsConnectionsOfAllWorkers) {
  const auto peers = clients(9);
  const auto list = connections();
  EXPECT_EQ(list["total"], 9);
  EXPECT_EQ(list["silent_workers"].size(), 0U);
  std::vector<std::string> names;
  for (const auto& connection : list["connections"]) {
    names.push_back(connection["peer"]);
    EXPECT_EQ(connection["listener"], listeners_[0]->address.text());
    EXPECT_EQ(connection["state"], "echoing");
    EXPECT_EQ(connection["owed_bytes"], 0);
    EXPECT_LT(connection["worker"], kWorkers);
    EXPECT_GE(connection["age_s"], connection["idle_s"]);
  }
  std::vector<std::string> expected;
  std::transform(peers.begin(), peers.end(), std::back_inserter(expected),
                 [](const TcpPeer& peer) { return peer.name(); });
  std::sort(names.begin(), names.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(names, expected);
}

TEST_F(AdminTest, SortsAndPagesOverAllWorkers) {
  const auto peers = clients(9);
  std::vector<int> bytes;
  for (const char* const page : {"&offset=0", "&offset=4", "&offset=8"}) {
    const auto list = connections("?sort=bytes&limit=4" + std::string(page));
    EXPECT_EQ(list["total"], 9);
    for (const auto& connection : list["connections"]) {
      bytes.push_back(connection["bytes_received"]);
    }
  }
  EXPECT_EQ(bytes, (std::vector<int>{9, 8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST_F(AdminTest, FiltersByNetworkAndState) {
  const auto peers = clients(2);
  EXPECT_EQ(connections("?network=127.0.0.0/8")["total"], 2);
  EXPECT_EQ(connections("?network=192.0.2.0/24")["total"], 0);
  EXPECT_EQ(connections("?state=flushing")["total"], 0);
  EXPECT_EQ(connections("?worker=99")["total"], 0);
}

TEST_F(AdminTest, ShowsWhatAConnectionIsOwed) {
  TcpPeer peer("127.0.0.1", port(), {.receive_buffer_bytes = 4096, .send_buffer_bytes = 65536});
  peer.send_all(std::string(60000, 'x'));
  wait_until("bytes to be owed",
             [this] { return connections("?sort=owed")["connections"].at(0)["owed_bytes"] > 0; });
  EXPECT_EQ(peer.receive_exactly(60000).size(), 60000U);
  wait_until("all bytes to be acknowledged",
             [this] { return connections("?sort=owed")["connections"].at(0)["owed_bytes"] == 0; });
}

// With a connection of a listener that a reload has removed.
class RemovedListenerTest : public AdminTest {
 protected:
  RemovedListenerTest()
      : AdminTest([this](Workers& workers) {
          const sys::ListenSocket removed =
              sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 16, false, SocketOptions{});
          orphan_.emplace("127.0.0.1", removed.address.port());
          workers.at(1).adopt(sys::accept(removed.fd.get()), ListenerCounts::kRemoved);
        }) {}
};

TEST_F(RemovedListenerTest, ItsConnectionsAreListedAndCountedUnderOneName) {
  ASSERT_TRUE(orphan_->echoes("x"));
  const auto peers = clients(2, 1);
  const auto list = connections("?worker=1&sort=age");
  ASSERT_FALSE(list["connections"].empty());
  EXPECT_EQ(list["connections"][0]["peer"], orphan_->name());
  EXPECT_EQ(list["connections"][0]["listener"], "removed");
  const auto status = json("/status");
  EXPECT_EQ(status["connections"], 3);
  ASSERT_EQ(status["listeners"].size(), 3U);
  EXPECT_EQ(status["listeners"][1]["connections"], 2);
  EXPECT_EQ(status["listeners"][2]["address"], "removed");
  EXPECT_EQ(status["listeners"][2]["connections"], 1);
  EXPECT_EQ(status["listeners"][2]["accepted"], 1);
  EXPECT_EQ(status["listeners"][2]["is_open"], false);
  EXPECT_NE(ask("/metrics").body.find("echod_connections{listener=\"removed\",worker=\"1\"} 1\n"),
            std::string::npos);
}

TEST_F(RemovedListenerTest, ItIsNotShownWithoutConnections) {
  orphan_.reset();
  wait_until("the close", [this] { return connections()["total"] == 0; });
  const auto status = json("/status");
  EXPECT_EQ(status["connections"], 0);
  EXPECT_EQ(status["listeners"].size(), 2U);
  EXPECT_EQ(ask("/metrics").body.find("removed\""), std::string::npos);
}

TEST_F(AdminTest, CountsConnectionsByListenerAndWorker) {
  const auto first = clients(3, 0);
  auto second = clients(2, 1);
  second.pop_back();
  wait_until("the close", [this] { return connections()["total"] == 4; });
  const auto status = json("/status");
  EXPECT_EQ(status["connections"], 4);
  EXPECT_EQ(status["listeners"][0]["connections"], 3);
  EXPECT_EQ(status["listeners"][0]["accepted"], 3);
  EXPECT_EQ(status["listeners"][1]["connections"], 1);
  EXPECT_EQ(status["listeners"][1]["accepted"], 2);
  EXPECT_EQ(status["listeners"][0]["queue_limit"], 16);
  EXPECT_EQ(status["workers"].size(), kWorkers);
}

TEST_F(AdminTest, ClosesTheConnectionWithAnId) {
  auto peers = clients(3);
  const auto list = connections("?sort=bytes");
  const std::string id = list["connections"][1]["id"];
  EXPECT_EQ(json("/connections/" + id, "DELETE")["closed"], 1);
  EXPECT_EQ(peers[1].receive_to_end().bytes, "");
  EXPECT_TRUE(peers[0].echoes("still here"));
  EXPECT_TRUE(peers[2].echoes("still here"));
  const AdminAnswer again = ask("/connections/" + id, "DELETE");
  EXPECT_EQ(again.status, 404);
  EXPECT_EQ(again.body, "echod: there is no connection " + id + "\n");
  EXPECT_EQ(json("/status")["counters"]["closed_by_operator"], 1);
}

TEST_F(AdminTest, ClosesTheConnectionsOfANetwork) {
  auto peers = clients(5);
  EXPECT_EQ(json("/connections?network=192.0.2.0/24", "DELETE")["closed"], 0);
  EXPECT_EQ(json("/connections?network=127.0.0.1", "DELETE")["closed"], 5);
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_to_end().bytes, "");
  }
}

TEST_F(AdminTest, ClosesNothingWithoutANetwork) {
  const auto peers = clients(1);
  const AdminAnswer answer = ask("/connections", "DELETE");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "echod: give network=NETWORK; 0.0.0.0/0 and ::/0 are all networks\n");
  EXPECT_EQ(ask("/connections/17", "DELETE").body,
            "echod: 17 is not the id of a connection, such as 0-17-3fa\n");
  EXPECT_EQ(connections()["total"], 1);
}

TEST_F(AdminTest, AnswersListsThatAreAskedForAtTheSameTime) {
  const auto peers = clients(3);
  std::vector<AdminConnection> requests;
  for (std::size_t i = 0; i < ConnectionInquiries::kMostWaiting; ++i) {
    requests.push_back(client_.begin(request_text("GET", "/connections")));
  }
  for (const auto& request : requests) {
    EXPECT_EQ(nlohmann::json::parse(request.answer().body)["total"], 3);
  }
}

TEST_F(AdminTest, OrdersLogLevelsAndSaysWhichAreInForce) {
  EXPECT_EQ(ask("/log-level?file=trace", "POST").body,
            "{\"file_level\":\"trace\",\"stderr_level\":\"error\"}\n");
  EXPECT_EQ(service_.levels_.file, LogLevel::trace);
  EXPECT_EQ(service_.levels_.stderr_level, std::nullopt);
  EXPECT_EQ(ask("/log-level?file=info&stderr=warning", "POST").body,
            "{\"file_level\":\"info\",\"stderr_level\":\"warning\"}\n");
  EXPECT_EQ(service_.levels_.stderr_level, LogLevel::warning);
}

TEST_F(AdminTest, RefusesWrongLogLevels) {
  EXPECT_EQ(ask("/log-level", "POST").body, "echod: give file=LEVEL, stderr=LEVEL or both\n");
  EXPECT_EQ(ask("/log-level?file=loud", "POST").body,
            "echod: file=loud: use trace, debug, info, warning, error, critical or off\n");
  EXPECT_EQ(ask("/log-level?console=info", "POST").body,
            "echod: unknown parameter console; known parameters: file, stderr\n");
}

TEST_F(AdminTest, RefusesALevelForALogFileThatDoesNotExist) {
  service_.has_file_ = false;
  EXPECT_EQ(ask("/log-level?file=info", "POST").body,
            "echod: there is no log file: log.file is empty\n");
  EXPECT_EQ(ask("/log-level?stderr=info", "POST").status, 200);
}

TEST_F(AdminTest, OrdersADrain) {
  EXPECT_EQ(ask("/drain").status, 405);
  EXPECT_FALSE(service_.has_drained_);
  const AdminAnswer answer = ask("/drain", "POST");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(nlohmann::json::parse(answer.body)["phase"], "draining");
  EXPECT_TRUE(service_.has_drained_);
}

TEST_F(AdminTest, OrdersAnUpgradeAndAnswersWithTheCountsBefore) {
  EXPECT_EQ(ask("/upgrade").status, 405);
  EXPECT_EQ(service_.reload_, StandInService::kNoReload);
  const AdminAnswer answer = ask("/upgrade", "POST");
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(service_.reload_, static_cast<int>(ReloadMode::as_needed));
  const auto counts = nlohmann::json::parse(answer.body);
  EXPECT_EQ(counts["config"]["reloads_applied"], 7);
  EXPECT_EQ(counts["config"]["reloads_refused"], 0);
  EXPECT_EQ(counts["upgrades"]["done"], 3);
  EXPECT_EQ(counts["upgrades"]["refused"], 0);
  EXPECT_EQ(counts["upgrades"]["failed"], 0);
  EXPECT_TRUE(counts.contains("started_at"));
  EXPECT_EQ(json("/status")["config"]["is_reload_in_progress"], true);
  EXPECT_EQ(ask("/upgrade?force=true", "POST").status, 202);
  EXPECT_EQ(service_.reload_, static_cast<int>(ReloadMode::forced));
  EXPECT_EQ(ask("/upgrade?force=false", "POST").status, 202);
  EXPECT_EQ(service_.reload_, static_cast<int>(ReloadMode::as_needed));
}

TEST_F(AdminTest, RefusesAWrongUpgradeAndOneDuringADrain) {
  EXPECT_EQ(ask("/upgrade?force=yes", "POST").body, "echod: force=yes: use true or false\n");
  EXPECT_EQ(ask("/upgrade?now=true", "POST").body,
            "echod: unknown parameter now; known parameter: force\n");
  EXPECT_EQ(ask_read_only("/upgrade", "POST").status, 405);
  service_.phase_ = Phase::draining;
  const AdminAnswer answer = ask("/upgrade", "POST");
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, "echod: echod is stopping: not upgraded\n");
  EXPECT_EQ(service_.reload_, StandInService::kNoReload);
}

TEST_F(AdminTest, SaysWhichPathsAndMethodsThereAre) {
  EXPECT_EQ(ask("/metric").body,
            "echod: no such path: /metric; there are /, /metrics, /healthz, /readyz, /status, "
            "/connections, /connections/, /log-level, /drain, /upgrade\n");
  EXPECT_EQ(ask_read_only("/metric").body,
            "echod: no such path: /metric; there are /, /metrics, /healthz, /readyz, /status\n");
  const AdminAnswer answer = ask("/connections", "POST");
  EXPECT_EQ(answer.status, 405);
  EXPECT_NE(answer.head.find("Allow: GET, DELETE"), std::string::npos) << answer.head;
}

TEST_F(AdminTest, OverTcpShowsFiguresAndNothingElse) {
  for (const char* const path : {"/", "/metrics", "/healthz", "/readyz", "/status"}) {
    EXPECT_EQ(ask_read_only(path).status, 200) << path;
  }
  EXPECT_EQ(ask_read_only("/connections").status, 403);
  EXPECT_EQ(ask_read_only("/log-level").status, 403);
  EXPECT_EQ(ask_read_only("/drain", "POST").status, 405);
  EXPECT_EQ(ask_read_only("/connections/0-0-1", "DELETE").status, 405);
  EXPECT_FALSE(service_.has_drained_);
}

TEST_F(AdminTest, OverTcpRefusesARequestForAnotherHost) {
  EXPECT_EQ(ask_read_only("/status", "GET", "attacker.example").status, 403);
  EXPECT_EQ(ask_read_only("/status", "GET", "127.0.0.1:9862").status, 200);
}

TEST_F(AdminTest, AnswersWithoutAWorkerThatHasEnded) {
  workers_.at(0).end();
  wait_until("its end", [this] { return workers_.at(0).has_ended(); });
  const auto list = connections();
  EXPECT_EQ(list["silent_workers"].size(), 0U);
}

}  // namespace
}  // namespace echod::test
