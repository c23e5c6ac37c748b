// A worker with its thread and real loopback sockets.
#include "client/load/load_worker.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <future>
#include <memory>

#include "deadline.hpp"
#include "descriptors.hpp"
#include "sys/listen_socket.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::test {
namespace {

using client::LoadError;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LoadWorkerTest : public testing::Test {
 protected:
  // A server whose kernel accepts connections but that never answers.
  LoadWorkerTest() {
    plan_.server = listener_.address;
    plan_.connections = plan_.active = 1;
    plan_.timeout = milliseconds(1);
  }

  void make(std::uint32_t index = 0) {
    worker_.reset();
    ready_ = {};
    ended_ = {};
    worker_ = std::make_unique<client::LoadWorker>(
        plan_, index,
        client::LoadWorkerEvents{.on_ready = [this] { ready_.set_value(); },
                                 .on_ended = [this] { ended_.set_value(); }});
  }
  void connect() {
    make();
    worker_->start_thread();
    wait_for(ready_);
  }
  void measure_for(milliseconds time) {
    const sys::TimePoint now = sys::MonotonicClock::now();
    worker_->start(now, {.begin = now, .end = now + time});
    wait_for(ended_);
  }
  static void wait_for(std::promise<void>& event) {
    if (event.get_future().wait_for(kPatience) != std::future_status::ready) {
      throw std::runtime_error("in vain: waited for the worker");
    }
  }
  [[nodiscard]] sys::UniqueFd accept() const {
    const sys::TimePoint deadline = sys::MonotonicClock::now() + kPatience;
    EXPECT_NE(sys::wait_ready(listener_.fd.get(), POLLIN, deadline), 0);
    return sys::accept(listener_.fd.get()).fd;
  }
  [[nodiscard]] std::uint64_t errors(LoadError error) const {
    return worker_->tally().errors.at(static_cast<std::size_t>(error));
  }

  sys::ListenSocket listener_ =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 128, false, {});
  client::LoadPlan plan_;
  std::promise<void> ready_;
  std::promise<void> ended_;
  std::unique_ptr<client::LoadWorker> worker_;
};

TEST_F(LoadWorkerTest, IsReadyWhenItsConnectionsAreOpen) {
  plan_.connections = 5;
  connect();
  std::promise<std::uint64_t> connected;
  worker_->copy_tally([&](const client::Tally& tally) { connected.set_value(tally.connected); });
  EXPECT_EQ(connected.get_future().get(), 5U);
}

TEST_F(LoadWorkerTest, HasItsShareOfTheConnections) {
  plan_.connections = 8;
  plan_.threads = 3;
  for (const auto& [index, share] : {std::pair{0U, 3U}, std::pair{1U, 3U}, std::pair{2U, 2U}}) {
    make(index);
    worker_->start_thread();
    wait_for(ready_);
    std::promise<std::uint64_t> connected;
    worker_->copy_tally([&](const client::Tally& tally) { connected.set_value(tally.connected); });
    EXPECT_EQ(connected.get_future().get(), share) << index;
  }
}

TEST_F(LoadWorkerTest, IsReadyWhenAllConnectionsFailed) {
  listener_.fd.reset();
  plan_.connections = 3;
  connect();
  worker_->stop();
  wait_for(ended_);
  EXPECT_EQ(errors(LoadError::refused), 3U);
  EXPECT_EQ(worker_->tally().connected, 0U);
}

// Connections that fail are not reopened meanwhile: one of them would be opening at any time.
TEST_F(LoadWorkerTest, IsReadyAlthoughTheAcceptQueueStaysFull) {
  listener_ = sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 1, false, {});
  plan_.server = listener_.address;
  plan_.connections = 30;
  plan_.connect_rate_per_s = 100;
  plan_.timeout = milliseconds(100);
  connect();
  worker_->stop();
  wait_for(ended_);
  EXPECT_GT(errors(LoadError::connect_timeout), 0U);
  EXPECT_EQ(errors(LoadError::connect_timeout) + errors(LoadError::no_end), 30U);
}

TEST_F(LoadWorkerTest, OpensConnectionsAtTheGivenRate) {
  plan_.connections = 10;
  plan_.connect_rate_per_s = 100'000;
  connect();
  worker_->stop();
  wait_for(ended_);
  EXPECT_EQ(errors(LoadError::no_end), 10U);  // All were open.
}

TEST_F(LoadWorkerTest, StoppedBeforeItBeganItEnds) {
  make();
  worker_->start_thread();
  worker_->stop();
  wait_for(ended_);
  EXPECT_EQ(worker_->tally().latency.count(), 0U);
}

TEST_F(LoadWorkerTest, StoppedBeforeItIsStartedItSendsNothing) {
  connect();
  const sys::TimePoint now = sys::MonotonicClock::now();
  worker_->stop();
  worker_->start(now, {.begin = now, .end = now + std::chrono::hours(1)});
  wait_for(ended_);
  EXPECT_EQ(worker_->tally().latency.count(), 0U);
  EXPECT_EQ(worker_->tally().errors_in_all(), errors(LoadError::no_end));
}

TEST_F(LoadWorkerTest, DestroyedWhileItRunsItEnds) {
  connect();
  const sys::TimePoint now = sys::MonotonicClock::now();
  worker_->start(now, {.begin = now, .end = now + std::chrono::hours(1)});
  worker_.reset();
}

TEST_F(LoadWorkerTest, AbortedItWaitsNoLonger) {
  plan_.timeout = std::chrono::hours(1);
  connect();
  const sys::TimePoint now = sys::MonotonicClock::now();
  worker_->start(now, {.begin = now, .end = now + std::chrono::hours(1)});
  worker_->abort();
  wait_for(ended_);
  EXPECT_EQ(errors(LoadError::abandoned), 1U);
}

TEST_F(LoadWorkerTest, AtTheEndOfTheWindowItStopsByItself) {
  connect();
  measure_for(milliseconds(5));
  EXPECT_EQ(worker_->tally().echoes, 0U);
  EXPECT_EQ(errors(LoadError::stalled), 1U);
}

// The wait of every message that was due is counted, however late this client is.
TEST_F(LoadWorkerTest, EveryMessageThatWasDueInTheWindowIsAccountedFor) {
  plan_.rate_per_s = 20'000'000;  // More than any client can do.
  connect();
  measure_for(milliseconds(20));
  const client::Tally& tally = worker_->tally();
  EXPECT_EQ(tally.latency.count(), 400'000U);
  EXPECT_GE(tally.latency.min(), plan_.timeout) << "none was answered";
  EXPECT_GT(tally.not_sent, 300'000U);
}

TEST_F(LoadWorkerTest, WaitingMessagesAreBoundedAndAllAreAccountedFor) {
  constexpr std::uint64_t kDue = client::LoadContext::kMostUnbegun + 2'000'000;
  plan_.rate_per_s = 100'000'000;
  plan_.timeout = milliseconds(500);
  connect();
  measure_for(milliseconds(kDue / 100'000));
  const client::Tally& tally = worker_->tally();
  constexpr std::uint64_t kBegun = 10;  // Begun by connections reopened after the timeout.
  EXPECT_LE(tally.send_lag.count(), client::LoadContext::kMostUnbegun + kBegun);
  EXPECT_NEAR(static_cast<double>(tally.latency.count()), kDue, 100'000);
  EXPECT_GE(tally.latency.min(), plan_.timeout);
}

TEST_F(LoadWorkerTest, EachStepAccountsForTheMessagesDueInIt) {
  for (const double scale : {1.0, 100.0}) {  // The second is more than any client can do.
    plan_.steps = {.rates_per_s = {100'000 * scale, 300'000 * scale, 200'000 * scale},
                   .time = milliseconds(10)};
    plan_.rate_per_s = plan_.steps.rates_per_s.front();
    connect();
    const sys::TimePoint now = sys::MonotonicClock::now();
    const sys::TimePoint begin = now + milliseconds(10);  // The warm-up is at the first rate.
    worker_->start(now, {.begin = begin, .end = begin + milliseconds(30)});
    wait_for(ended_);
    ASSERT_EQ(worker_->steps().size(), 3U);
    for (std::size_t step = 0; step < 3; ++step) {
      EXPECT_NEAR(static_cast<double>(worker_->steps()[step].latency.count()),
                  plan_.steps.rates_per_s[step] / 100, scale);
      EXPECT_GE(worker_->steps()[step].latency.min(), plan_.timeout) << "none was answered";
    }
    EXPECT_NEAR(static_cast<double>(worker_->tally().latency.count()), 6000 * scale, scale);
  }
}

TEST_F(LoadWorkerTest, RandomArrivalsAddUpToTheRateAndDifferBetweenThreads) {
  plan_.connections = plan_.active = 4;
  plan_.threads = 2;
  plan_.rate_per_s = 400'000;
  plan_.arrivals = client::Arrivals::poisson;
  plan_.seed = 9;
  std::vector<std::uint64_t> counts;
  for (std::uint32_t index = 0; index < plan_.threads; ++index) {
    make(index);
    worker_->start_thread();
    wait_for(ready_);
    measure_for(milliseconds(100));
    counts.push_back(worker_->tally().latency.count());
  }
  EXPECT_NE(counts[0], counts[1]);
  for (const std::uint64_t count : counts) {
    EXPECT_NEAR(static_cast<double>(count), 20'000, 5 * std::sqrt(20'000));
  }
}

TEST_F(LoadWorkerTest, NoMessageIsSentBeforeStartAtInEitherLoop) {
  for (const auto rate : {std::optional<double>(), std::optional<double>(1e5)}) {
    plan_.rate_per_s = rate;
    plan_.timeout = kPatience;
    connect();
    const sys::UniqueFd server = accept();
    const sys::TimePoint begin = sys::MonotonicClock::now() + milliseconds(50);
    worker_->start(begin, {.begin = begin, .end = begin + std::chrono::hours(1)});
    EXPECT_NE(sys::wait_ready(server.get(), POLLIN, begin + kPatience), 0);
    EXPECT_GE(sys::MonotonicClock::now(), begin);
    worker_->abort();
    wait_for(ended_);
  }
}

TEST_F(LoadWorkerTest, StoppedBeforeStartAtItSendsNothing) {
  connect();
  const sys::UniqueFd server = accept();
  const sys::TimePoint begin = sys::MonotonicClock::now() + std::chrono::hours(1);
  worker_->start(begin, {.begin = begin, .end = begin + std::chrono::hours(1)});
  worker_->stop();
  wait_for(ended_);
  EXPECT_EQ(sys::unread_bytes(server.get()).count(), 0U);
  EXPECT_EQ(errors(LoadError::no_end), 1U);
}

TEST_F(LoadWorkerTest, EndsMoreConnectionsThanItEndsAtATime) {
  constexpr std::uint32_t kMany = 2500;
  if (!can_hold(kMany)) {
    GTEST_SKIP() << "needs descriptors for " << kMany << " connections (ulimit -Hn)";
  }
  listener_ = sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), kMany, false, {});
  plan_.server = listener_.address;
  plan_.connections = kMany;
  plan_.active = 0;
  plan_.timeout = seconds(1);
  connect();
  worker_->stop();
  wait_for(ended_);
  EXPECT_EQ(errors(LoadError::no_end), kMany);
}

TEST_F(LoadWorkerTest, ExactlyTheGivenNumberOfMessagesIsSent) {
  plan_.connections = plan_.active = 5;
  plan_.threads = 2;
  plan_.rate_per_s = 400'000;
  plan_.messages = 13;  // Three for each of the first three connections, two for the others.
  const std::array<std::uint64_t, 2> shares{3 + 3 + 2, 3 + 2};
  for (std::uint32_t index = 0; index < plan_.threads; ++index) {
    make(index);
    worker_->start_thread();
    wait_for(ready_);
    measure_for(milliseconds(20));
    EXPECT_EQ(worker_->tally().latency.count(), shares.at(index));
  }
}

// Without a server, each sweep reopens each connection.
TEST_F(LoadWorkerTest, SweepsOverMoreConnectionsThanItChecksAtATime) {
  constexpr std::uint32_t kMany = 9000;
  listener_.fd.reset();
  plan_.mode = client::LoadMode::connect;
  plan_.connections = plan_.active = kMany;
  plan_.timeout = kPatience;
  connect();
  const sys::TimePoint now = sys::MonotonicClock::now();
  worker_->start(now, {.begin = now, .end = now + std::chrono::hours(1)});
  const auto deadline = now + kPatience;
  std::uint64_t refused = 0;
  while (refused < 3 * kMany && sys::MonotonicClock::now() < deadline) {
    std::promise<std::uint64_t> answer;
    worker_->copy_tally([&](const client::Tally& tally) {
      answer.set_value(tally.errors.at(static_cast<std::size_t>(LoadError::refused)));
    });
    refused = answer.get_future().get();
  }
  EXPECT_GE(refused, 3 * kMany);
  worker_->stop();
  wait_for(ended_);
}

TEST_F(LoadWorkerTest, MessagesOfSeveralWorkersAddUpToTheRate) {
  plan_.connections = plan_.active = 4;
  plan_.threads = 3;
  plan_.rate_per_s = 400'000;
  std::uint64_t due = 0;
  const sys::TimePoint now = sys::MonotonicClock::now();
  for (std::uint32_t index = 0; index < plan_.threads; ++index) {
    make(index);
    worker_->start_thread();
    wait_for(ready_);
    worker_->start(now, {.begin = now, .end = now + milliseconds(20)});
    wait_for(ended_);
    due += worker_->tally().latency.count();
  }
  EXPECT_EQ(due, 8000U);
}

}  // namespace
}  // namespace echod::test
