// Mode connect: each cycle connects, sends one message, half-closes, and reads the echo and the end
// of file.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::LoadContext;
using client::LoadError;
using client::LoadMode;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LoadConnectionConnectModeTest : public LoadFixture {
 protected:
  LoadConnectionConnectModeTest() { plan_.mode = LoadMode::connect; }

  // Starts a connection, which connects, sends its first message and half-closes.
  client::LoadConnection& begin_cycle() {
    client::LoadConnection& connection = make();
    expect_connect(kFd);
    connection.start();
    expect_message(0);
    return connection;
  }
  // The connection is open and sends message `number`, of kBytes bytes.
  void expect_message(std::uint64_t number) {
    kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
    expect_send(kFd, number * kBytes, kBytes);
    kernel_.expect_shutdown(kFd);
    iterate();
  }
  // The echo of message `number` and the end of file arrive, and the next cycle begins.
  void expect_end_of_cycle(std::uint64_t number) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
    expect_recv(kFd, number * kBytes, kBytes);
    kernel_.expect_recv_eof(kFd);
    kernel_.expect_close(kFd);
  }
};

TEST_F(LoadConnectionConnectModeTest, ACycleIsFromConnectToEndOfFileAndIsFollowedByTheNext) {
  begin_cycle();
  for (std::uint64_t cycle = 0; cycle < 3; ++cycle) {
    kernel_.advance(milliseconds(2));
    expect_end_of_cycle(cycle);
    expect_connect(kFd);
    iterate();
    EXPECT_EQ(context_.tally.echoes, cycle + 1);
    EXPECT_EQ(context_.opening, 1U);
    EXPECT_EQ(context_.in_flight, 1U);
    kernel_.advance(milliseconds(1));
    expect_message(cycle + 1);
  }
  EXPECT_EQ(context_.tally.latency.count(), 3U);
  EXPECT_EQ(context_.tally.latency.min(), milliseconds(2));
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(3)) << "connecting is part of it";
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  EXPECT_EQ(context_.tally.receive_lag.count(), 0U) << "arrivals are not measured";
}

TEST_F(LoadConnectionConnectModeTest, ConnectAndFirstByteTimesAreMeasured) {
  begin_cycle();
  kernel_.advance(milliseconds(1));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, 10);
  iterate();
  kernel_.advance(milliseconds(1));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  expect_recv(kFd, 10, kBytes - 10);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  expect_connect(kFd);
  iterate();
  kernel_.advance(milliseconds(5));
  expect_message(1);
  EXPECT_EQ(context_.tally.connect.count(), 2U);
  EXPECT_EQ(context_.tally.connect.min(), milliseconds(0));
  EXPECT_EQ(context_.tally.connect.max(), milliseconds(5));
  kernel_.advance(milliseconds(2));
  expect_end_of_cycle(1);
  expect_connect(kFd);
  iterate();
  EXPECT_EQ(context_.tally.first_byte.count(), 2U);
  EXPECT_EQ(context_.tally.first_byte.min(), milliseconds(1));
  EXPECT_EQ(context_.tally.first_byte.max(), milliseconds(7)) << "from when connecting began";
}

TEST_F(LoadConnectionConnectModeTest, CyclesOutsideTheWindowHaveNoTimes) {
  context_.window.begin += milliseconds(1);
  begin_cycle();
  kernel_.advance(milliseconds(2));
  expect_end_of_cycle(0);
  expect_connect(kFd);
  iterate();
  EXPECT_EQ(context_.tally.connect.count(), 0U);
  EXPECT_EQ(context_.tally.first_byte.count(), 0U);
}

TEST_F(LoadConnectionConnectModeTest, InAnOpenLoopTheTimesCountFromConnectAndNotFromWhenItWasDue) {
  open_loop(1000);
  client::LoadConnection& connection = make();
  connection.start();
  kernel_.advance(milliseconds(10));
  expect_connect(kFd);
  message_due(connection);
  kernel_.advance(milliseconds(1));
  expect_message(0);
  kernel_.advance(milliseconds(1));
  expect_end_of_cycle(0);
  iterate();
  EXPECT_EQ(context_.tally.connect.max(), milliseconds(1));
  EXPECT_EQ(context_.tally.first_byte.max(), milliseconds(2));
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(12));
}

TEST_F(LoadConnectionConnectModeTest, TheEchoAloneDoesNotEndACycle) {
  begin_cycle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 0U);
  EXPECT_EQ(context_.in_flight, 1U);
  EXPECT_EQ(context_.half_closed, 1U);
  context_.is_stopping = true;
  connections_.front().stop();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, TheHalfCloseFollowsTheLastByteOfALongMessage) {
  constexpr std::uint32_t kLong = LoadContext::kCallBytes + 10;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  expect_short_send(kFd, 0, LoadContext::kCallBytes, 1000);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  expect_send(kFd, 1000, kLong - 1000);
  kernel_.expect_shutdown(kFd);
  iterate();
  expect_idle();
}

TEST_F(LoadConnectionConnectModeTest, AnEndOfFileBeforeEverythingCameBackIsTruncated) {
  begin_cycle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  expect_recv(kFd, 0, kBytes - 1);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::truncated), 1U);
  EXPECT_EQ(context_.tally.mismatches(), 1U);
  EXPECT_EQ(only_error(), "connection 0: 1 byte missing at the end after our half-close");
  EXPECT_EQ(context_.tally.echoes, 0U);
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, AnEndOfFileBeforeOurHalfCloseIsClosedEarly) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  expect_short_send(kFd, 0, kBytes, 10);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  expect_recv(kFd, 0, 10);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::closed_early), 1U);
}

TEST_F(LoadConnectionConnectModeTest, AfterAFailureTheSweepTriesAgain) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.start();
  kernel_.set_socket_error(kFd, ECONNREFUSED);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLERR | EPOLLHUP}}, -1);
  iterate();
  expect_nothing_left();
  expect_connect(kOther);
  connection.check_timeouts();
  EXPECT_EQ(context_.opening, 1U);
  EXPECT_EQ(context_.in_flight, 1U);
  kernel_.expect_epoll_wait({{kOther, EPOLLOUT}}, -1);
  expect_send(kOther, kBytes, kBytes);  // The first message failed; its bytes are not sent again.
  kernel_.expect_shutdown(kOther);
  iterate();
  EXPECT_EQ(errors(LoadError::refused), 1U);
}

TEST_F(LoadConnectionConnectModeTest, AFailureAtOnceIsNotTriedAgainBeforeTheSweep) {
  client::LoadConnection& connection = make();
  kernel_.expect_socket_error(EMFILE);
  connection.start();
  expect_idle();
  kernel_.expect_socket_error(EMFILE);
  connection.check_timeouts();
  EXPECT_EQ(errors(LoadError::connect_failed), 2U);
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, WithoutAnAnswerToConnectItSaysSo) {
  plan_.timeout = seconds(5);
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.start();
  kernel_.advance(seconds(5));
  kernel_.expect_epoll_wait({}, -1);
  iterate();
  connection.stop();
  connection.check_timeouts();
  EXPECT_EQ(errors(LoadError::connect_timeout), 1U);
  EXPECT_EQ(only_error(), "connection 0: no answer to connect");
  EXPECT_EQ(context_.tally.latency.max(), seconds(5)) << "the wait counts";
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, WithoutAnEndOfFileTheErrorIsNoEnd) {
  plan_.timeout = seconds(5);
  client::LoadConnection& connection = begin_cycle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  iterate();
  connection.stop();
  iterate_and_sweep(seconds(5));
  EXPECT_EQ(errors(LoadError::no_end), 1U);
  EXPECT_EQ(only_error(), "connection 0: no end of file after our half-close");
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, AfterASlowConnectTheServerHasTheWholeTimeoutToAnswer) {
  plan_.timeout = seconds(5);
  make();
  expect_connect(kFd);
  connections_.front().start();
  kernel_.advance(seconds(4));
  expect_message(0);
  iterate_and_sweep(seconds(4));
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  connections_.front().stop();
  iterate_and_sweep(seconds(1));
  EXPECT_EQ(only_error(), "connection 0: stalled: 64 bytes never came back");
  expect_nothing_left();
}

TEST_F(LoadConnectionConnectModeTest, SurplusBytesAreNotTakenForTheEnd) {
  begin_cycle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv(kFd, stream(kFd, 0, kBytes) + '!');
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::unsolicited), 1U);
}

TEST_F(LoadConnectionConnectModeTest, InAnOpenLoopACycleBeginsWhenItIsDue) {
  open_loop(1000);
  client::LoadConnection& connection = make();
  connection.start();
  EXPECT_EQ(context_.opening, 0U);
  expect_connect(kFd);
  message_due(connection);
  expect_message(0);
  message_due(connection);  // Waits for the first cycle to end.
  kernel_.advance(milliseconds(3));
  expect_end_of_cycle(0);
  expect_connect(kFd);
  iterate();
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(3));
  expect_message(1);
  kernel_.advance(milliseconds(3));
  expect_end_of_cycle(1);
  iterate();
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(5)) << "due at 1 ms, over at 6 ms";
  expect_nothing_left();
}

}  // namespace
}  // namespace echod::test
