// If a server stalls, an open loop measures the wait of every message that was delayed. A closed
// loop waits together with the server, so it measures only one slow message.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "client/load/pacer.hpp"
#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::Histogram;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int kTimer = 900;
constexpr double kRate = 1000;
constexpr milliseconds kInterval{1};

// A connection of depth 1 and a server that answers at once except while it stalls. The client is
// never late, because the fake clock advances from one event to the next.
class OpenLoopTest : public LoadFixture {
 protected:
  using Moment = nanoseconds;  // Since the start.

  void start_open_loop() {
    open_loop(kRate);
    connect(kFd);
    schedule_ = client::Schedule(loop_.now(), kRate);
    start_ = kernel_.now();
    kernel_.expect_timerfd(kTimer);
    pacer_.emplace(loop_, [this](std::uint64_t /*number*/, sys::TimePoint due) {
      ++due_;
      connections_.front().message_due(due);
      return true;
    });
    connections_.front().start();
    pacer_->start(schedule_);
    kernel_.expect_epoll_wait({}, 0);
    expect_message();
    iterate();
    note_sent();
  }

  void measure_between(Moment begin, Moment end) {
    context_.window = {.begin = sys::TimePoint(start_ + begin),
                       .end = sys::TimePoint(start_ + end)};
  }

  void stall_between(Moment begin, Moment end) {
    stall_begin_ = begin;
    stall_end_ = end;
  }

  // Runs the events before `end`.
  void run_until(Moment end) {
    for (;;) {
      const Moment tick = *kernel_.timer(kTimer) - start_;
      const bool is_answer = answer_at_ && *answer_at_ <= tick;
      const Moment next = is_answer ? *answer_at_ : tick;
      if (next >= end) {
        return;
      }
      kernel_.advance(next - now());
      is_answer ? answer() : tick_once();
      if (HasFailure()) {
        return;
      }
    }
  }

  // Ends the schedule, as at the end of the window.
  void stop_due() {
    pacer_->stop();
    context_.is_stopping = true;
    connections_.front().stop();
  }
  // The server continues, and the messages due before stop_due() are sent and answered.
  void answer_all_due() {
    while (answer_at_ && !HasFailure()) {
      kernel_.advance(*answer_at_ - now());
      answer();
    }
  }

  [[nodiscard]] Moment now() const { return kernel_.now() - start_; }
  [[nodiscard]] const Histogram& latency() const { return context_.tally.latency; }

  std::uint64_t due_ = 0;
  std::uint64_t sent_ = 0;      // Messages.
  std::uint64_t answered_ = 0;  // Messages.

 private:
  void tick_once() {
    kernel_.expect_epoll_wait({{kTimer, EPOLLIN}}, -1);
    if (sent_ == answered_) {
      expect_message();
    }
    iterate();
    note_sent();
    EXPECT_EQ(*kernel_.timer(kTimer) - start_, kInterval * due_);
  }
  void answer() {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, answered_++ * kBytes, kBytes);
    answer_at_.reset();
    if (sent_ < due_) {
      expect_message();
    } else if (context_.is_stopping) {
      kernel_.expect_shutdown(kFd);
    }
    iterate();
    note_sent();
  }
  void expect_message() {
    expect_send(kFd, sent_ * kBytes, kBytes);
    ++sent_;
  }
  void note_sent() {
    if (sent_ > answered_ && !answer_at_) {
      const bool is_stalled = now() >= stall_begin_ && now() < stall_end_;
      answer_at_ = is_stalled ? stall_end_ : now();
    }
  }

  nanoseconds start_{};
  Moment stall_begin_ = Moment::max();
  Moment stall_end_ = Moment::max();
  std::optional<Moment> answer_at_;
  std::optional<client::Pacer> pacer_;
};

TEST_F(OpenLoopTest, AServerThatKeepsUpHasNoLatency) {
  start_open_loop();
  measure_between(seconds(0), seconds(2));
  run_until(seconds(2));
  EXPECT_EQ(latency().count(), 2000U);
  EXPECT_EQ(latency().max(), nanoseconds(0));
  EXPECT_EQ(context_.tally.echoes, 2000U);
}

TEST_F(OpenLoopTest, AStallCountsInTheLatencyOfEveryMessageThatItDelayed) {
  start_open_loop();
  measure_between(seconds(1), seconds(2));
  stall_between(seconds(1), seconds(2));
  run_until(seconds(3));
  // Due at 1.000, 1.001, ... 1.999 s, answered at 2 s: they waited for 1000, 999, ... 1 ms.
  EXPECT_EQ(latency().count(), 1000U);
  EXPECT_EQ(latency().max(), seconds(1));
  EXPECT_EQ(latency().min(), milliseconds(1));
  for (int percent = 1; percent <= 100; ++percent) {
    const nanoseconds exact = milliseconds(10) * percent;
    const nanoseconds measured = latency().percentile(percent);
    EXPECT_GE(measured, exact) << percent;
    EXPECT_LE(static_cast<double>(measured.count()),
              static_cast<double>(exact.count()) * (1 + Histogram::kRelativeError))
        << percent;
  }
  EXPECT_EQ(context_.tally.echoes, 0U) << "they came back after the window";
  EXPECT_EQ(due_, 3000U);
  EXPECT_EQ(answered_, 3000U);
  EXPECT_EQ(context_.in_flight, 0U);
}

TEST_F(OpenLoopTest, InAClosedLoopTheSameStallIsOneSlowMessage) {
  connect(kFd);
  const sys::TimePoint start = loop_.now();
  schedule_ = client::Schedule(start, kRate);
  context_.window = {.begin = start, .end = start + seconds(2)};
  expect_send(kFd, 0, kBytes);
  connections_.front().start();
  for (std::uint64_t message = 0; sys::MonotonicClock::now() < context_.window.end; ++message) {
    kernel_.advance(message == 0 ? nanoseconds(seconds(1)) : kInterval);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, message * kBytes, kBytes);
    expect_send(kFd, (message + 1) * kBytes, kBytes);
    iterate();
  }
  EXPECT_EQ(latency().count(), 1001U);
  EXPECT_EQ(latency().max(), seconds(1));
  EXPECT_LE(latency().percentile(99), kInterval * (1 + Histogram::kRelativeError));
  EXPECT_EQ(latency().count_up_to(milliseconds(2)), 1000U);
}

// The window ends during the stall.
TEST_F(OpenLoopTest, AStallBeyondTheEndOfTheWindowCountsInFull) {
  start_open_loop();
  measure_between(seconds(1), seconds(2));
  stall_between(milliseconds(1500), milliseconds(5500));
  run_until(seconds(2));
  stop_due();
  answer_all_due();
  // Due at 1.500 ... 1.999 s, answered at 5.5 s.
  EXPECT_EQ(latency().count(), 1000U);
  EXPECT_EQ(latency().max(), seconds(4));
  EXPECT_EQ(latency().count_up_to(nanoseconds(0)), 500U);
  EXPECT_EQ(latency().count_up_to(milliseconds(3500)), 500U);
  EXPECT_EQ(context_.tally.not_sent, 0U);
}

TEST_F(OpenLoopTest, GivenUpMessagesCountAsNotSentAndAsTheTimeout) {
  plan_.timeout = seconds(5);
  start_open_loop();
  measure_between(seconds(1), seconds(2));
  stall_between(milliseconds(1500), seconds(100));
  run_until(seconds(2));
  stop_due();
  connections_.front().give_up_unbegun();
  EXPECT_EQ(context_.tally.not_sent, 499U);
  EXPECT_EQ(context_.unbegun, 0U);
  // The outstanding message is still awaited.
  EXPECT_EQ(latency().count(), 999U);
  EXPECT_EQ(latency().max(), seconds(5));
  connections_.front().abandon();
  EXPECT_EQ(latency().count(), 1000U);
  EXPECT_EQ(only_error(), "connection 0: the run was over before 64 bytes came back");
  expect_nothing_left();
}

TEST_F(OpenLoopTest, MessagesDueBeforeTheWindowDoNotCountAsNotSent) {
  start_open_loop();
  measure_between(seconds(1), seconds(2));
  stall_between(milliseconds(500), seconds(10));
  run_until(seconds(2));
  stop_due();
  connections_.front().give_up_unbegun();
  EXPECT_EQ(context_.tally.not_sent, 1000U);
  EXPECT_EQ(latency().count(), 1000U);
}

TEST_F(OpenLoopTest, ServiceTimeCountsFromTheSend) {
  start_open_loop();
  measure_between(seconds(0), seconds(2));
  stall_between(milliseconds(500), milliseconds(600));
  run_until(seconds(1));
  EXPECT_EQ(context_.tally.service.messages, 1000U);
  EXPECT_EQ(context_.tally.service.total, milliseconds(100)) << "those that waited were sent late";
}

TEST_F(OpenLoopTest, LatencyCountsInTheStepOfTheDueTimeAndTheEchoInTheStepOfItsArrival) {
  plan_.steps = {.rates_per_s = {kRate, kRate}, .time = seconds(1)};
  context_.steps.resize(2);
  start_open_loop();
  measure_between(seconds(0), seconds(2));
  stall_between(milliseconds(900), milliseconds(1100));
  run_until(seconds(2));
  const std::vector<client::StepTally>& steps = context_.steps;
  EXPECT_EQ(steps[0].latency.count(), 1000U);
  EXPECT_EQ(steps[0].latency.max(), milliseconds(200));
  EXPECT_EQ(steps[1].latency.max(), milliseconds(100));
  EXPECT_EQ(steps[0].echoes, 900U);
  EXPECT_EQ(steps[1].echoes, 1100U);
  EXPECT_EQ(steps[0].service.messages, 900U);
  EXPECT_EQ(steps[1].service.messages, 1100U);
  EXPECT_EQ(steps[1].service.total, milliseconds(200));
  EXPECT_EQ(context_.tally.latency.count(), 2000U);
}

TEST_F(OpenLoopTest, ADeeperConnectionSendsWhatIsDueUpToItsDepth) {
  plan_.depth = 4;
  open_loop(kRate);
  client::LoadConnection& connection = connect(kFd);
  connection.start();
  for (std::uint64_t message = 0; message < 4; ++message) {
    expect_send(kFd, message * kBytes, kBytes);
    message_due(connection);
  }
  for (int i = 0; i < 3; ++i) {
    message_due(connection);
  }
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, 2 * kBytes);
  expect_send(kFd, 4 * kBytes, 2 * kBytes);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 2 * kBytes, 4 * kBytes);
  expect_send(kFd, 6 * kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.in_flight, 1U);
}

TEST_F(OpenLoopTest, ConnectionsTakeTurnsAndEachCountsFromItsOwnDueTime) {
  plan_.connections = plan_.active = context_.active = 2;
  open_loop(kRate);
  connect(kFd);
  connect(kOther);
  const sys::TimePoint start = loop_.now();
  schedule_ = client::Schedule(start, kRate);
  context_.window = {.begin = start, .end = start + seconds(1)};
  for (client::LoadConnection& connection : connections_) {
    connection.start();
  }
  // Messages 0 and 2 are due on the first, 1 and 3 on the second; all are sent at 3 ms.
  kernel_.advance(milliseconds(3));
  expect_send(kFd, 0, kBytes);
  expect_send(kOther, 0, kBytes);
  for (std::size_t message = 0; message < 4; ++message) {
    message_due(connections_[message % 2]);
  }
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  expect_send(kFd, kBytes, kBytes);
  expect_recv(kOther, 0, kBytes);
  expect_send(kOther, kBytes, kBytes);
  iterate();
  EXPECT_EQ(latency().min(), milliseconds(2));
  EXPECT_EQ(latency().max(), milliseconds(3));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}}, -1);
  expect_recv(kFd, kBytes, kBytes);
  expect_recv(kOther, kBytes, kBytes);
  iterate();
  EXPECT_EQ(latency().count(), 4U);
  EXPECT_EQ(latency().min(), milliseconds(0));
}

// With any number of waiting messages and any gaps between them.
TEST_F(OpenLoopTest, EachWaitingMessageKeepsItsDueTime) {
  open_loop(kRate);
  client::LoadConnection& connection = connect(kFd);
  measure(seconds(3600));
  const sys::TimePoint start = loop_.now();
  connection.start();
  expect_send(kFd, 0, kBytes);
  std::vector<milliseconds> waits;
  for (int i = 0; i < 100; ++i) {
    waits.emplace_back(1000 - i * i / 11);
    connection.message_due(start + seconds(1) - waits.back());
  }
  kernel_.advance(seconds(1));
  for (std::uint64_t message = 0; message < waits.size(); ++message) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, message * kBytes, kBytes);
    if (message + 1 < waits.size()) {
      expect_send(kFd, (message + 1) * kBytes, kBytes);
    }
    const std::uint64_t before = latency().count_up_to(waits[message]);
    iterate();
    EXPECT_EQ(latency().count_up_to(waits[message]), before + 1);
    EXPECT_EQ(latency().min(), waits[message]) << "each has waited for less than the one before";
  }
}

TEST_F(OpenLoopTest, MessagesOfALostConnectionWaitForTheNextOneAndAreCounted) {
  open_loop(kRate);
  client::LoadConnection& connection = connect(kFd);
  schedule_ = client::Schedule(loop_.now(), kRate);
  measure(seconds(1));
  connection.start();
  expect_send(kFd, 0, kBytes);
  message_due(connection);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP}}, -1);
  kernel_.expect_recv_error(kFd, ECONNRESET);
  kernel_.expect_close(kFd);
  iterate();
  for (int i = 0; i < 9; ++i) {
    message_due(connection);
  }
  EXPECT_EQ(context_.tally.due_while_lost, 9U);
  sweep_and_reconnect(milliseconds(10), kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLOUT}});
  expect_send(kOther, kBytes, kBytes);
  iterate();
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}}, -1);
  expect_recv(kOther, kBytes, kBytes);
  expect_send(kOther, 2 * kBytes, kBytes);
  iterate();
  // Message 0 failed; message 1, due at 1 ms, waited until 10 ms.
  EXPECT_EQ(latency().count(), 2U);
  EXPECT_EQ(latency().min(), milliseconds(9));
  EXPECT_EQ(latency().max(), plan_.timeout);
  EXPECT_EQ(context_.tally.not_sent, 0U);
  EXPECT_EQ(errors(client::LoadError::reset), 1U);
}

}  // namespace
}  // namespace echod::test
