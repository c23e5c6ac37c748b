// Several workers with their threads and real sockets, moved by hand as the service moves them.
#include "echo/workers.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "deadline.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

class WorkersTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kWorkers = 3;

  static EchoSettings settings(std::uint32_t max_connections = 1000) {
    return echo_settings(Config{}, max_connections, kWorkers);
  }

  void start(const EchoSettings& initial = settings()) {
    workers_.emplace(
        kWorkers, initial, logger_,
        WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
    auto socket = std::make_shared<const sys::ListenSocket>(
        sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 64, false, {}));
    port_ = socket->address.port();
    workers_->listen(socket);
    workers_->start();
  }
  [[nodiscard]] TcpPeer connect() const { return {"127.0.0.1", port_}; }
  std::vector<TcpPeer> connect_many(int count) const {
    std::vector<TcpPeer> peers;
    for (int i = 0; i < count; ++i) {
      peers.push_back(connect());
      EXPECT_TRUE(peers.back().echoes("hello"));
    }
    return peers;
  }
  [[nodiscard]] std::uint64_t count(Counter counter) const {
    return workers_->counters().at(static_cast<std::size_t>(counter));
  }
  bool has_ended(std::chrono::milliseconds patience = kPatience) {
    return ended_.get_future().wait_for(patience) == std::future_status::ready;
  }

  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("workers");
  std::promise<void> ended_;
  std::uint16_t port_ = 0;
  std::optional<Workers> workers_;
};

TEST_F(WorkersTest, ShareConnectionsThatComeOneByOneExactly) {
  start();
  const auto peers = connect_many(30);
  // A worker that cannot run for 100 ms is skipped, which happens where a sanitizer slows all.
  constexpr int kSkipped = kSanitized ? 1 : 0;
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    EXPECT_NEAR(workers_->connections_of(worker), 10, kSkipped);
  }
  EXPECT_NEAR(workers_->most_connections(), 10, kSkipped);
  EXPECT_EQ(count(Counter::accepted), 30U);
}

TEST_F(WorkersTest, DrainTogetherAndSayOnceThatTheyEnded) {
  start();
  auto peers = connect_many(10);
  workers_->drain();
  for (TcpPeer& peer : peers) {
    EXPECT_EQ(peer.receive_to_end().ending, Ending::fin);
    peer.close();
  }
  EXPECT_TRUE(has_ended());  // A promise takes one value.
  EXPECT_EQ(count(counter_of(CloseReason::drained)), 10U);
}

TEST_F(WorkersTest, AreFullTogetherAndAcceptAtOnceWhicheverConnectionEnds) {
  start(settings(6));
  auto peers = connect_many(6);
  for (TcpPeer& peer : peers) {  // Two of each worker.
    TcpPeer waiting = connect();
    waiting.send_all("hello");
    wait_until("it to be full", [this] { return count(Counter::paused_full) > 0; });
    peer.close();
    EXPECT_TRUE(waiting.has_news(Deadline(kAtOnce)));
    EXPECT_EQ(waiting.receive_exactly(5), "hello");
    peer = std::move(waiting);
  }
  EXPECT_EQ(count(Counter::accepted), 12U);
}

TEST_F(WorkersTest, NewSettingsReachEachOfThem) {
  start();
  auto peers = connect_many(kWorkers);  // One of each worker.
  EchoSettings impatient = settings();
  impatient.timeouts.idle = std::chrono::milliseconds(100);
  workers_->apply(impatient);
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.has_news(Deadline(kAtOnce)));
  }
}

TEST_F(WorkersTest, NewLimitsThatTheyShareHoldAtOnce) {
  start(settings(1));
  const auto peers = connect_many(1);
  TcpPeer waiting = connect();
  waiting.send_all("hello");
  wait_until("it to be full", [this] { return count(Counter::paused_full) > 0; });
  workers_->apply(settings(2));
  EXPECT_TRUE(waiting.has_news(Deadline(kAtOnce)));
}

// The other workers accept what the kernel may have woken a stuck one for.
TEST_F(WorkersTest, AreCalledWhenOneOfThemIsStuck) {
  start();
  const auto peers = connect_many(1);
  const std::uint64_t turns_before = workers_->at(1).turns();
  workers_->wake_others_to_accept(0);
  wait_until("a turn", [this, turns_before] { return workers_->at(1).turns() > turns_before; });
}

TEST_F(WorkersTest, EndWithTheirThreadsThoughConnectionsAreLeft) {
  start();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  workers_.reset();
  EXPECT_EQ(peer.receive_to_end().bytes, "");
}

TEST_F(WorkersTest, AbortEverybodyAtOnce) {
  EchoSettings patient = settings();
  patient.timeouts.linger = std::chrono::hours(1);
  start(patient);
  const auto peers = connect_many(10);
  workers_->drain();
  workers_->abort_connections(CloseReason::forced);
  EXPECT_TRUE(has_ended(kAtOnce));
  EXPECT_EQ(count(counter_of(CloseReason::forced)), 10U);
}

}  // namespace
}  // namespace echod::test
