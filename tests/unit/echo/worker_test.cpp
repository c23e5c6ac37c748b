// A worker with its thread and real sockets, moved by hand as the service moves it.
#include "echo/worker.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "deadline.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

class WorkerTest : public testing::Test {
 protected:
  static EchoSettings settings(std::uint32_t max_connections = 1000) {
    return echo_settings(Config{}, max_connections, 1);
  }

  void start() {
    worker_.emplace(settings(), logger_, shared_, 0U,
                    WorkerEvents{.on_ended = [this] { ended_.set_value(); },
                                 .on_listener_lost = [this](int /*error*/) { lost_.set_value(); }});
    worker_->listen(listen());
    worker_->start();
  }
  std::shared_ptr<const sys::ListenSocket> listen() {
    auto socket = std::make_shared<const sys::ListenSocket>(
        sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 64, false, {}));
    port_ = socket->address.port();
    listening_fd_ = socket->fd.get();
    return socket;
  }
  [[nodiscard]] TcpPeer connect() const { return {"127.0.0.1", port_}; }
  static bool comes(std::promise<void>& promise, std::chrono::milliseconds patience = kPatience) {
    return promise.get_future().wait_for(patience) == std::future_status::ready;
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
  SharedState shared_{settings(), 1};
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

TEST_F(WorkerTest, MeasuresItsDelays) {
  start();
  TcpPeer peer = connect();
  wait_until("a delay", [&] {
    const DelayHistogram::Values delays = worker_->server_delay();
    return peer.echoes("hello") && delays.sum.count() > 0 &&
           std::accumulate(delays.counts.begin(), delays.counts.end(), std::uint64_t{0}) > 0;
  });
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
  worker_.emplace(settings(), logger_, shared_, 0U,
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

TEST_F(WorkerTest, TwoOrdersAtOnceAreBothObeyed) {
  worker_.emplace(settings(), logger_, shared_, 0U,
                  WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
  worker_->listen(listen());
  const TcpPeer peer = connect();
  worker_->drain();
  worker_->abort_connections(CloseReason::forced);
  worker_->start();
  EXPECT_TRUE(comes(ended_));
  EXPECT_EQ(shared_.admission.connections(), 0U);
}

// A turn visits 256 connections: those that are idle have no other turns.
TEST_F(WorkerTest, AnAbortOfManyConnectionsTakesSeveralTurns) {
  start();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 400; ++i) {
    peers.push_back(connect());
    ASSERT_TRUE(peers.back().echoes("hello"));
  }
  const std::uint64_t before = worker_->turns();
  worker_->abort_connections(CloseReason::forced);
  wait_until("the end of all", [this] { return shared_.admission.connections() == 0; });
  constexpr std::uint64_t kWakeUpAndOrder = 2;
  EXPECT_GE(worker_->turns() - before, kWakeUpAndOrder + 2);
  EXPECT_EQ(count(counter_of(CloseReason::forced)), 400U);
}

TEST_F(WorkerTest, OrdersTakeNoMemory) {
  start();
  const EchoSettings same = settings();
  {
    const AllocationFailure no_memory;
    worker_->apply(same);
    worker_->drain();
    worker_->abort_connections(CloseReason::forced);
    worker_->probe();
  }
  EXPECT_TRUE(comes(ended_));
}

TEST_F(WorkerTest, MakesATurnWhenItIsWokenUp) {
  start();
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = worker_->turns();
    worker_->probe();
    wait_until("a turn", [this, before] { return worker_->turns() > before; });
  }
}

TEST_F(WorkerTest, PeersThatDoNotSendTheirFinAreNotWaitedForBeyondTheLingerTime) {
  start();
  EchoSettings impatient = settings();
  impatient.timeouts.linger = std::chrono::milliseconds(10);
  worker_->apply(impatient);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  worker_->drain();
  EXPECT_TRUE(comes(ended_, kAtOnce)) << "the next sweep by the other timeouts is 10 s away";
  EXPECT_EQ(count(counter_of(CloseReason::linger_timeout)), 1U);
}

TEST_F(WorkerTest, AShorterTimeoutHoldsAtOnceThoughNoSweepWasDueForLong) {
  start();
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
  EchoSettings impatient = settings();
  impatient.timeouts.idle = std::chrono::milliseconds(100);
  worker_->apply(impatient);
  EXPECT_TRUE(peer.has_news(Deadline(kAtOnce)));
  EXPECT_EQ(count(counter_of(CloseReason::idle_timeout)), 1U);
}

TEST_F(WorkerTest, SaysHowManyLinesWereLeftOutWhenItEnds) {
  logger_->set_level(spdlog::level::debug);
  worker_.emplace(settings(), logger_, shared_, 0U,
                  WorkerEvents{.on_ended = [this] { ended_.set_value(); }, .on_listener_lost = {}});
  worker_->listen(listen());
  EchoSettings terse = settings();
  terse.log_lines_per_second = 1;
  shared_.apply(terse);
  worker_->start();
  {
    TcpPeer peer = connect();
    EXPECT_TRUE(peer.echoes("hello"));
    worker_->drain();
    (void)peer.receive_to_end();
  }
  EXPECT_TRUE(comes(ended_));
  EXPECT_NE(log_.str().find("lines about connections were suppressed"), std::string::npos);
}

TEST_F(WorkerTest, NewSettingsHoldForThoseWhoWaitAlready) {
  start();
  shared_.apply(settings(1));
  TcpPeer first = connect();
  EXPECT_TRUE(first.echoes("hello"));
  TcpPeer second = connect();
  second.send_all("hello");
  wait_until("the pause", [this] { return count(Counter::paused_full) == 1; });
  shared_.apply(settings(2));
  worker_->apply(settings(2));
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
  worker_.emplace(settings(), logger_, shared_, 0U, WorkerEvents{});
  worker_->listen(listen());
  worker_.reset();
  EXPECT_THROW((void)connect(), std::exception);
}

}  // namespace
}  // namespace echod::test
