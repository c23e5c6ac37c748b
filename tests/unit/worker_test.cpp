// A worker with its thread and real sockets, moved by hand as the service moves it.
#include "worker.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "deadline.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

class WorkerTest : public testing::Test {
 protected:
  static constexpr std::size_t kFarTooMany = 500;

  static EchoSettings settings(std::uint32_t max_connections = 1000) {
    return echo_settings(Config{}, max_connections, 1);
  }

  void start() {
    worker_.emplace(settings(), logger_, alone_, 0U,
                    WorkerEvents{.on_ended = [this] { ended_.set_value(); },
                                 .on_listener_lost = [this](int /*error*/) { lost_.set_value(); }});
    worker_->listen(listen());
    worker_->start();
  }
  std::shared_ptr<const sys::ListenSocket> listen() {
    auto socket = std::make_shared<const sys::ListenSocket>(
        sys::open_listener(*sys::SocketAddress::parse("127.0.0.1", 0), 64, false, {}));
    port_ = socket->address.port();
    listening_fd_ = socket->fd.get();
    return socket;
  }
  [[nodiscard]] TcpPeer connect() const { return {"127.0.0.1", port_}; }
  // As another worker hands over what it accepted.
  TcpPeer connect_and_hand_over() {
    const sys::ListenSocket elsewhere =
        sys::open_listener(*sys::SocketAddress::parse("127.0.0.1", 0), 1, false, {});
    TcpPeer peer("127.0.0.1", elsewhere.address.port());
    Inbox::Connections one;
    one.push_back(sys::accept(elsewhere.fd.get()));
    EXPECT_EQ(one.front().error, 0);
    alone_->enter();
    alone_->keep(0);
    EXPECT_TRUE(alone_->inbox(0).hand_over(one, {}));  // At a time that stands still.
    return peer;
  }
  // Of the worker's thread.
  void take_memory_away() {
    worker_->post([this] { no_memory_.emplace(); });
  }
  void give_memory_back() {
    worker_->post([this] { no_memory_.reset(); });
  }
  // Until no more can be accepted.
  std::vector<TcpPeer> connect_until_memory_is_spent() {
    take_memory_away();
    std::vector<TcpPeer> peers;
    while (count(Counter::paused_resources) == 0) {
      peers.push_back(connect());
      if (!peers.back().echoes("hello") || peers.size() > kFarTooMany) {
        throw std::runtime_error("not spent after " + std::to_string(peers.size()));
      }
    }
    return peers;
  }
  static bool comes(std::promise<void>& promise) {
    return promise.get_future().wait_for(kPatience) == std::future_status::ready;
  }
  [[nodiscard]] std::uint64_t count(Counter counter) const {
    return worker_->counters().get(counter);
  }

  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>(
      "worker", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
  std::promise<void> ended_;
  std::promise<void> lost_;
  std::uint16_t port_ = 0;
  int listening_fd_ = -1;
  std::optional<AllocationFailure> no_memory_;
  std::shared_ptr<Roster> alone_ = std::make_shared<Roster>(settings().max_connections, 1);
  std::optional<Worker> worker_;
};

TEST_F(WorkerTest, EchoesForManyConnections) {
  start();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 50; ++i) {
    peers.push_back(connect());
  }
  for (TcpPeer& peer : peers) {
    EXPECT_TRUE(peer.echoes("hello"));
  }
  EXPECT_EQ(count(Counter::accepted), 50U);
}

TEST_F(WorkerTest, ThatDrainsSendsBackWhatItHasSaysGoodbyeAndEndsWhenThePeersHaveGone) {
  start();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  worker_->drain();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_EQ(tail.bytes, "");
  peer.close();
  EXPECT_TRUE(comes(ended_));
  EXPECT_EQ(count(counter_of(CloseReason::drained)), 1U);
}

TEST_F(WorkerTest, ThatDrainsServesWhoeverWaitsInTheQueueOfItsListener) {
  worker_.emplace(settings(), logger_, alone_, 0U,
                  WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
  worker_->listen(listen());
  TcpPeer peer = connect();
  peer.send_all("hello");
  ASSERT_TRUE(eventually([&peer] { return peer.unacknowledged() == 0; }));
  worker_->drain();  // Before its thread has had a chance to accept.
  worker_->start();
  const Tail tail = peer.receive_to_end();
  EXPECT_EQ(tail.ending, Ending::fin);
  EXPECT_EQ(tail.bytes, "hello");
  peer.close();
  EXPECT_TRUE(comes(ended_));
}

TEST_F(WorkerTest, ThatDrainsRefusesThoseWhoComeLater) {
  start();
  worker_->drain();
  EXPECT_TRUE(comes(ended_));
  EXPECT_THROW((void)connect(), std::exception);
}

TEST_F(WorkerTest, ConnectionsThatDoNotLeaveAreAborted) {
  start();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  worker_->drain();
  (void)peer.receive_to_end();
  worker_->abort_connections(CloseReason::forced);
  EXPECT_TRUE(comes(ended_));
  EXPECT_EQ(count(counter_of(CloseReason::forced)), 1U);
}

TEST_F(WorkerTest, WhatItIsGivenWithoutMemoryWaitsUntilThereIsSome) {
  start();
  const auto peers = connect_until_memory_is_spent();
  TcpPeer first = connect_and_hand_over();
  TcpPeer second = connect_and_hand_over();
  first.send_all("first");
  second.send_all("second");
  const std::uint64_t paused = count(Counter::paused_resources);
  wait_until("it to try again", [&] { return count(Counter::paused_resources) > paused + 4; });
  give_memory_back();
  EXPECT_EQ(first.receive_exactly(5), "first");
  EXPECT_EQ(second.receive_exactly(6), "second");
  EXPECT_EQ(count(Counter::register_failures), 0U);
}

TEST_F(WorkerTest, WhatItIsGivenComesBeforeThoseWhoWaitInTheQueue) {
  start();
  auto peers = connect_until_memory_is_spent();
  TcpPeer given = connect_and_hand_over();
  TcpPeer queued = connect();
  peers[0].close();
  EXPECT_TRUE(given.echoes("given"));
  EXPECT_EQ(count(Counter::accepted), peers.size());
  peers[1].close();
  EXPECT_TRUE(queued.echoes("queued"));
}

TEST_F(WorkerTest, ThatIsAbortedClosesWhatItHadNoMemoryForToo) {
  worker_.emplace(settings(), logger_, alone_, 0U,
                  WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
  worker_->start();
  take_memory_away();
  std::vector<TcpPeer> peers;
  while (count(Counter::paused_resources) == 0) {
    peers.push_back(connect_and_hand_over());
    ASSERT_LT(peers.size(), kFarTooMany);
  }
  worker_->drain();
  worker_->abort_connections(CloseReason::forced);
  EXPECT_TRUE(comes(ended_));
  EXPECT_EQ(count(counter_of(CloseReason::forced)), peers.size());
  EXPECT_EQ(alone_->connections(), 0U);
}

TEST_F(WorkerTest, PeersThatDoNotSendTheirFinAreNotWaitedForBeyondTheLingerTime) {
  start();
  EchoSettings impatient = settings();
  impatient.timeouts.linger = std::chrono::milliseconds(10);
  worker_->post(worker_->task_to_apply(impatient));
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  worker_->drain();
  EXPECT_TRUE(comes(ended_));
  EXPECT_EQ(count(counter_of(CloseReason::linger_timeout)), 1U);
}

TEST_F(WorkerTest, SaysHowManyLinesWereLeftOutWhenItEnds) {
  logger_->set_level(spdlog::level::debug);
  worker_.emplace(settings(), logger_, alone_, 0U,
                  WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
  worker_->listen(listen());
  EchoSettings terse = settings();
  terse.log_lines_per_second = 1;
  worker_->post(worker_->task_to_apply(terse));
  worker_->start();
  {
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello"));
    worker_->drain();
    (void)peer.receive_to_end();
  }
  EXPECT_TRUE(comes(ended_));
  EXPECT_NE(log_.str().find("lines about connections were left out"), std::string::npos);
}

TEST_F(WorkerTest, NewSettingsHoldForThoseWhoWaitAlready) {
  start();
  worker_->post(worker_->task_to_apply(settings(1)));
  TcpPeer first = connect();
  EXPECT_TRUE(first.echoes("hello"));
  TcpPeer second = connect();
  second.send_all("hello");
  wait_until("the pause", [this] { return count(Counter::paused_full) == 1; });
  worker_->post(worker_->task_to_apply(settings(2)));
  EXPECT_EQ(second.receive_exactly(5), "hello");
}

TEST_F(WorkerTest, AListenerThatBreaksIsReported) {
  start();
  EXPECT_EQ(shutdown(listening_fd_, SHUT_RD), 0);
  EXPECT_TRUE(comes(lost_));
}

TEST_F(WorkerTest, ThatGoesClosesWhatIsLeft) {
  start();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  worker_.reset();
  EXPECT_EQ(peer.receive_to_end().bytes, "");
}

TEST_F(WorkerTest, ThatNeverStartedGoesToo) {
  worker_.emplace(settings(), logger_, alone_, 0U, WorkerEvents{});
  worker_->listen(listen());
  worker_.reset();
  EXPECT_THROW((void)connect(), std::exception);
}

}  // namespace
}  // namespace echod::test
