// One UDP socket of a load run, on a scripted kernel.
#include "client/load/datagram_flow.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::DatagramCounts;
using client::DatagramFlow;
using client::DatagramFormat;
using client::LoadError;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kPort = 21;
constexpr int kStrays = 22;

class DatagramFlowTest : public LoadFixture {
 protected:
  DatagramFlowTest() {
    plan_.server = client::Endpoint::udp(*SocketAddress::parse("192.0.2.9", 2003));
    plan_.timeout = seconds(1);
  }

  // Opens the socket and starts it. Script what it sends before.
  void start() {
    kernel_.expect_socket(kPort);
    kernel_.expect_socket(kStrays);
    flow_.open();
    kernel_.verify();
  }
  [[nodiscard]] static std::string datagram(std::uint64_t number, std::uint32_t socket = 0,
                                            std::size_t size = kBytes) {
    std::string bytes(size, '\0');
    DatagramFormat(0).fill(std::as_writable_bytes(std::span(bytes)),
                           {.socket = socket, .number = number});
    return bytes;
  }
  void expect_sent(std::uint64_t number) { kernel_.expect_send(kPort, datagram(number)); }
  // One iteration, in which these datagrams arrive.
  void receive(const std::vector<std::string>& datagrams) {
    kernel_.expect_epoll_wait({{kPort, EPOLLIN}});
    for (const std::string& bytes : datagrams) {
      kernel_.expect_recv(kPort, bytes);
    }
    kernel_.expect_recv_error(kPort, EAGAIN);
  }
  // One iteration without events, `time` later.
  void pass(std::chrono::nanoseconds time) {
    kernel_.advance(time);
    kernel_.expect_epoll_wait({});
    iterate();
  }
  void sweep() {
    flow_.check_timeouts();
    kernel_.verify();
  }
  [[nodiscard]] const DatagramCounts& counts() const { return context_.tally.datagrams; }

  DatagramFlow flow_{context_, 0, 0};
};

TEST_F(DatagramFlowTest, AClosedLoopSendsTheNextDatagramWhenAnAnswerHasCome) {
  plan_.depth = 2;
  start();
  EXPECT_EQ(context_.tally.connected, 1U);
  expect_sent(0);
  expect_sent(1);
  flow_.start();
  EXPECT_EQ(context_.in_flight, 2U);
  receive({datagram(0)});
  expect_sent(2);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(counts().sent, 3U);
  EXPECT_EQ(counts().lost, 0U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(DatagramFlowTest, TheLatencyEndsWhenTheAnswerArrived) {
  start();
  expect_sent(0);
  flow_.start();
  kernel_.advance(milliseconds(5));
  kernel_.expect_epoll_wait({{kPort, EPOLLIN}});
  kernel_.expect_recv(kPort, datagram(0)).arrived_before(milliseconds(2));
  kernel_.expect_recv_error(kPort, EAGAIN);
  expect_sent(1);
  iterate();
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(3));
  EXPECT_EQ(context_.tally.receive_lag.max(), milliseconds(2));
}

TEST_F(DatagramFlowTest, AnOpenLoopSendsWhatIsDueHoweverMuchIsOutstanding) {
  open_loop(1000);
  start();
  flow_.start();
  for (std::uint64_t number = 0; number < 3; ++number) {
    const sys::TimePoint due = schedule_.due();
    schedule_.skip();
    expect_sent(number);
    flow_.message_due(due);
    kernel_.verify();
  }
  EXPECT_EQ(context_.in_flight, 3U);
  EXPECT_EQ(context_.unbegun, 0U);
}

TEST_F(DatagramFlowTest, ADatagramWithoutAnAnswerIsLostAndItsAnswerLate) {
  start();
  expect_sent(0);
  flow_.start();
  pass(milliseconds(1100));
  kernel_.expect_recv_error(kPort, EAGAIN);
  expect_sent(1);
  sweep();
  EXPECT_EQ(counts().lost, 1U);
  EXPECT_GE(context_.tally.latency.min(), plan_.timeout) << "it is no fast answer";
  receive({datagram(0)});
  iterate();
  EXPECT_EQ(counts().late, 1U);
  EXPECT_EQ(context_.tally.echoes, 0U);
  EXPECT_EQ(context_.in_flight, 1U);
}

TEST_F(DatagramFlowTest, AnAnswerThatArrivedInTimeIsNotLostHoweverLateItIsRead) {
  start();
  expect_sent(0);
  flow_.start();
  pass(milliseconds(1500));
  kernel_.expect_recv(kPort, datagram(0)).arrived_before(milliseconds(501));
  kernel_.expect_recv_error(kPort, EAGAIN);
  expect_sent(1);
  sweep();
  EXPECT_EQ(counts().lost, 0U);
  EXPECT_EQ(counts().late, 0U);
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(999));
}

TEST_F(DatagramFlowTest, AnAnswerThatArrivedAfterTheTimeoutIsLateHoweverEarlyItIsRead) {
  start();
  expect_sent(0);
  flow_.start();
  kernel_.advance(milliseconds(1001));
  receive({datagram(0)});
  expect_sent(1);
  iterate();
  EXPECT_EQ(counts().lost, 1U);
  EXPECT_EQ(counts().late, 1U);
  EXPECT_EQ(counts().duplicated, 0U);
  EXPECT_EQ(context_.tally.echoes, 0U);
  EXPECT_EQ(context_.tally.latency.count(), 1U);
  EXPECT_EQ(context_.in_flight, 1U);
}

TEST_F(DatagramFlowTest, WhatMayBeAmongUnreadAnswersIsNotGivenUp) {
  constexpr int kTurn = 64;
  plan_.depth = kTurn + 1;
  start();
  for (std::uint64_t number = 0; number < kTurn; ++number) {
    expect_sent(number);
  }
  flow_.start();
  kernel_.expect_epoll_wait({});
  expect_sent(kTurn);
  iterate();
  ASSERT_EQ(counts().sent, kTurn + 1U);
  context_.is_stopping = true;
  pass(milliseconds(1500));
  for (std::uint64_t number = 0; number < kTurn; ++number) {
    kernel_.expect_recv(kPort, datagram(number)).arrived_before(milliseconds(600));
  }
  sweep();  // Reads no more than one turn does.
  EXPECT_EQ(counts().lost, 0U);
  kernel_.expect_epoll_wait({});
  kernel_.expect_recv(kPort, datagram(kTurn)).arrived_before(milliseconds(600));
  kernel_.expect_recv_error(kPort, EAGAIN);
  iterate();
  EXPECT_EQ(context_.tally.echoes, kTurn + 1U);
  EXPECT_EQ(counts().lost, 0U);
}

TEST_F(DatagramFlowTest, ATurnSendsNotMoreThanItReads) {
  constexpr std::uint32_t kBurst = 40;
  plan_.burst = kBurst;
  plan_.depth = 4 * kBurst;
  start();
  const auto expect_burst = [this](std::uint64_t first) {
    std::string train;
    for (std::uint64_t i = 0; i < kBurst; ++i) {
      train += datagram(first + i);
    }
    kernel_.expect_send(kPort, train);
  };
  expect_burst(0);
  expect_burst(kBurst);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(counts().sent, 2U * kBurst);
  kernel_.expect_epoll_wait({});
  expect_burst(2UL * kBurst);
  expect_burst(3UL * kBurst);
  iterate();
}

TEST_F(DatagramFlowTest, DuplicatesAndReorderedAnswersAreCounted) {
  plan_.depth = 3;
  start();
  expect_sent(0);
  expect_sent(1);
  expect_sent(2);
  flow_.start();
  receive({datagram(2), datagram(1), datagram(1)});
  expect_sent(3);
  expect_sent(4);
  iterate();
  EXPECT_EQ(counts().reordered, 1U);
  EXPECT_EQ(counts().duplicated, 1U);
  EXPECT_EQ(context_.tally.echoes, 2U);
}

TEST_F(DatagramFlowTest, WrongAnswersAreNamed) {
  plan_.depth = 5;
  start();
  for (std::uint64_t number = 0; number < 5; ++number) {
    expect_sent(number);
  }
  flow_.start();
  std::string changed = datagram(0);
  changed[40] = static_cast<char>(changed[40] ^ 4);
  receive({changed, datagram(7, 3), datagram(99), datagram(1) + "x", "?"});
  expect_sent(5);
  expect_sent(6);
  iterate();
  const std::vector<std::string> expected{
      "socket 0: datagram 0: byte 40 is wrong", "socket 0: got datagram 7 of socket 3",
      "socket 0: got datagram 99, which was not sent yet",
      "socket 0: datagram 1: 65 bytes came back, sent were 64 bytes",
      "socket 0: 1 byte that are no datagram of this run: \"?\""};
  EXPECT_EQ(context_.tally.detail_lines(), expected);
  EXPECT_EQ(errors(LoadError::corrupted), 3U);
  EXPECT_EQ(errors(LoadError::crossed), 1U);
  EXPECT_EQ(errors(LoadError::unsolicited), 1U);
  EXPECT_EQ(context_.tally.echoes, 0U);
}

TEST_F(DatagramFlowTest, AFullSendQueueIsWaitedFor) {
  start();
  kernel_.expect_send_error(kPort, datagram(0), EAGAIN);
  flow_.start();
  EXPECT_EQ(counts().sent, 0U);
  expect_idle();
  kernel_.expect_epoll_wait({{kPort, EPOLLOUT}});
  expect_sent(0);
  iterate();
  EXPECT_EQ(counts().sent, 1U);
}

TEST_F(DatagramFlowTest, ARefusalOfAnEarlierDatagramIsCountedAndTheNextIsSent) {
  start();
  kernel_.expect_send_error(kPort, datagram(0), ECONNREFUSED);
  expect_sent(0);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(errors(LoadError::refused), 1U);
  EXPECT_EQ(counts().sent, 1U);
}

TEST_F(DatagramFlowTest, ADatagramThatCannotBeSentIsAnErrorAndIsSentAtTheNextSweep) {
  start();
  kernel_.expect_send_error(kPort, datagram(0), EPERM);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(only_error(), "socket 0: send: Operation not permitted");
  EXPECT_EQ(errors(LoadError::reset), 1U);
  EXPECT_EQ(counts().sent, 0U);
  EXPECT_EQ(context_.in_flight, 0U);
  expect_sent(0);
  sweep();
  EXPECT_EQ(counts().sent, 1U);
  EXPECT_EQ(counts().lost, 0U);
  EXPECT_EQ(context_.tally.latency.count(), 0U);
}

TEST_F(DatagramFlowTest, InAnOpenLoopADatagramThatCannotBeSentIsNotSent) {
  open_loop(1000);
  start();
  flow_.start();
  kernel_.expect_send_error(kPort, datagram(0), ENETUNREACH);
  flow_.message_due(schedule_.due());
  kernel_.verify();
  EXPECT_EQ(errors(LoadError::reset), 1U);
  EXPECT_EQ(context_.tally.not_sent, 1U);
  EXPECT_EQ(counts().sent, 0U);
  EXPECT_EQ(context_.unbegun, 0U);
  EXPECT_EQ(context_.in_flight, 0U);
}

TEST_F(DatagramFlowTest, TheErrorOfTheSecondAttemptIsNamed) {
  start();
  kernel_.expect_send_error(kPort, datagram(0), ECONNREFUSED);
  kernel_.expect_send_error(kPort, datagram(0), ECONNREFUSED);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(errors(LoadError::refused), 2U);
  EXPECT_EQ(errors(LoadError::reset), 0U);
  EXPECT_EQ(counts().sent, 0U);
}

TEST_F(DatagramFlowTest, ABurstIsSentAgainAfterARefusalOfAnEarlierDatagram) {
  plan_.burst = plan_.depth = 2;
  start();
  kernel_.expect_send_error(kPort, datagram(0) + datagram(1), ECONNREFUSED);
  kernel_.expect_send(kPort, datagram(0) + datagram(1));
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(errors(LoadError::refused), 1U);
  EXPECT_EQ(counts().sent, 2U);
}

TEST_F(DatagramFlowTest, ABurstThatCannotBeSentIsAnErrorAndIsSentAtTheNextSweep) {
  plan_.burst = plan_.depth = 2;
  start();
  kernel_.expect_send_error(kPort, datagram(0) + datagram(1), EPERM);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(errors(LoadError::reset), 1U);
  EXPECT_EQ(counts().sent, 0U);
  kernel_.expect_send(kPort, datagram(0) + datagram(1));
  sweep();
  EXPECT_EQ(counts().sent, 2U);
}

TEST_F(DatagramFlowTest, ASilenceOfTheServerIsMeasured) {
  plan_.depth = 3;
  start();
  for (std::uint64_t number = 0; number < 3; ++number) {
    expect_sent(number);
  }
  flow_.start();
  pass(milliseconds(1000));
  kernel_.expect_recv_error(kPort, EAGAIN);
  context_.is_stopping = true;
  sweep();
  EXPECT_EQ(counts().lost, 3U);
  EXPECT_EQ(context_.tally.silence, seconds(1));
}

TEST_F(DatagramFlowTest, ABurstIsOneSend) {
  plan_.burst = 3;
  plan_.depth = 4;
  start();
  kernel_.expect_send(kPort, datagram(0) + datagram(1) + datagram(2));
  flow_.start();
  kernel_.verify();
  receive({datagram(0)});
  iterate();  // Two are outstanding: no room for another burst.
  receive({datagram(1)});
  kernel_.expect_send(kPort, datagram(3) + datagram(4) + datagram(5));
  iterate();
  EXPECT_EQ(counts().sent, 6U);
  EXPECT_EQ(counts().split_bursts, 0U);
}

TEST_F(DatagramFlowTest, ABurstThatTheKernelRefusesIsSentOneByOne) {
  plan_.burst = plan_.depth = 2;
  start();
  kernel_.expect_send_error(kPort, datagram(0) + datagram(1), EINVAL);
  expect_sent(0);
  expect_sent(1);
  flow_.start();
  kernel_.verify();
  EXPECT_EQ(counts().split_bursts, 1U);
  receive({datagram(0), datagram(1)});
  expect_sent(2);
  expect_sent(3);
  iterate();
  EXPECT_EQ(counts().split_bursts, 2U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(DatagramFlowTest, WhenStoppedItWaitsForAnswersAndThenForSurplus) {
  start();
  expect_sent(0);
  flow_.start();
  context_.is_stopping = true;
  flow_.stop();
  EXPECT_EQ(context_.half_closed, 0U);
  receive({datagram(0)});
  iterate();
  EXPECT_EQ(context_.half_closed, 1U);
  receive({datagram(0)});
  iterate();
  EXPECT_EQ(counts().duplicated, 1U);
  pass(DatagramFlow::kLingerTime);
  sweep();
  EXPECT_TRUE(kernel_.was_closed(kPort));
  EXPECT_TRUE(kernel_.was_closed(kStrays));
  expect_nothing_left();
}

TEST_F(DatagramFlowTest, AbandonedItCountsWhatIsOutstandingAndCloses) {
  plan_.depth = 2;
  start();
  expect_sent(0);
  expect_sent(1);
  flow_.start();
  context_.is_stopping = true;
  flow_.abandon();
  EXPECT_EQ(only_error(), "socket 0: the run was over before 2 datagrams came back");
  EXPECT_EQ(counts().lost, 0U);
  expect_nothing_left();
}

TEST_F(DatagramFlowTest, ASocketThatCannotBeOpenedIsAnError) {
  kernel_.expect_socket_error(EMFILE);
  flow_.open();
  EXPECT_EQ(only_error(), "socket 0: cannot be opened: Too many open files");
  EXPECT_EQ(context_.tally.connected, 0U);
}

TEST_F(DatagramFlowTest, WithoutALocalPortTheErrorNamesTheOption) {
  kernel_.expect_socket(kPort);
  kernel_.expect_bind(kPort, EADDRINUSE);
  flow_.open();
  EXPECT_EQ(errors(LoadError::no_local_port), 1U);
  EXPECT_TRUE(kernel_.was_closed(kPort));
}

}  // namespace
}  // namespace echod::test
