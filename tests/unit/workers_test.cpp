// Several workers with their threads and real sockets, moved by hand as the service moves them.
#include "workers.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "allocations.hpp"
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
        sys::open_listener(*sys::SocketAddress::parse("127.0.0.1", 0), 64, false, {}));
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
  bool has_ended() { return ended_.get_future().wait_for(kPatience) == std::future_status::ready; }

  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("workers");
  std::promise<void> ended_;
  std::uint16_t port_ = 0;
  std::optional<AllocationFailure> no_memory_;
  std::optional<Workers> workers_;
};

TEST_F(WorkersTest, ShareConnectionsThatComeOneByOneExactly) {
  start();
  const auto peers = connect_many(30);
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    EXPECT_EQ(workers_->connections_of(worker), 10U);
  }
  EXPECT_EQ(workers_->fullest(), 10U);
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

TEST_F(WorkersTest, AreFullTogetherAndLetInWhoWaitsWhoseverConnectionLeaves) {
  start(settings(6));
  auto peers = connect_many(6);
  for (TcpPeer& peer : peers) {  // Two of each worker.
    TcpPeer waiting = connect();
    waiting.send_all("hello");
    wait_until("it to be full", [this] { return count(Counter::paused_full) > 0; });
    peer.close();
    EXPECT_EQ(waiting.receive_exactly(5), "hello");
    peer = std::move(waiting);
  }
  EXPECT_EQ(count(Counter::accepted), 12U);
}

TEST_F(WorkersTest, ServeWhatOneOfThemHasNoMemoryFor) {
  start();
  workers_->at(1).post([this] { no_memory_.emplace(); });  // For its thread.
  std::vector<TcpPeer> peers;
  while (count(Counter::passed_on) == 0) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
    ASSERT_LT(peers.size(), 900U);
  }
  const auto later = connect_many(30);
  EXPECT_LT(workers_->connections_of(1), workers_->connections_of(0));
  EXPECT_EQ(count(Counter::register_failures), 0U);
}

TEST_F(WorkersTest, AnswerWhenTheyAreAsked) {
  start();
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    EXPECT_EQ(workers_->at(worker).answers(), 0U);
    workers_->at(worker).ask();
  }
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    wait_until("the answer", [this, worker] { return workers_->at(worker).answers() == 1; });
  }
}

TEST_F(WorkersTest, AbortEverybody) {
  start();
  const auto peers = connect_many(10);
  workers_->drain();
  workers_->abort_connections(CloseReason::forced);
  EXPECT_TRUE(has_ended());
}

}  // namespace
}  // namespace echod::test
