// Failures of a connection other than wrong bytes, and their names.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::LoadError;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kOther = 8;

class LoadConnectionFailureTest : public LoadFixture {
 protected:
  // An event that reports an error of the connect.
  void fail_to_connect(int error, std::uint32_t events = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP) {
    client::LoadConnection& connection = make();
    expect_connect(kFd);
    connection.open();
    kernel_.set_socket_error(kFd, error);
    kernel_.expect_epoll_wait({{kFd, events}}, -1);
    kernel_.expect_close(kFd);
    iterate();
    expect_nothing_left();
  }
  void reset(int fd) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN | EPOLLERR | EPOLLHUP}}, -1);
    kernel_.expect_recv_error(fd, ECONNRESET);
    kernel_.expect_close(fd);
    iterate();
  }
  void answer_and_send_next(int fd, std::uint64_t message) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN}}, -1);
    expect_recv(fd, message * kBytes, kBytes);
    expect_send(fd, (message + 1) * kBytes, kBytes);
    iterate();
  }
};

// Opening.

TEST_F(LoadConnectionFailureTest, ARefusedConnectionIsCountedAsRefused) {
  fail_to_connect(ECONNREFUSED);
  EXPECT_EQ(errors(LoadError::refused), 1U);
  EXPECT_EQ(only_error(), "connection 0: refused: no server listens");
}

TEST_F(LoadConnectionFailureTest, AConnectTimeoutOfTheKernelIsAConnectTimeout) {
  fail_to_connect(ETIMEDOUT);
  EXPECT_EQ(errors(LoadError::connect_timeout), 1U);
  EXPECT_EQ(only_error(), "connection 0: no answer to connect");
}

// Happens only with a port from the range that connect(2) chooses from.
TEST_F(LoadConnectionFailureTest, AConnectionToItselfIsAnError) {
  plan_.sources = {plan_.server.address()};
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::to_itself), 1U);
  EXPECT_EQ(only_error(), "connection 0: connected to itself, because no server listens there");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, OtherErrorsHaveTheMessageOfTheSystem) {
  fail_to_connect(EHOSTUNREACH);
  EXPECT_EQ(errors(LoadError::connect_failed), 1U);
  EXPECT_EQ(only_error(), "connection 0: cannot connect: No route to host");
}

TEST_F(LoadConnectionFailureTest, WithoutALocalPortItNamesTheOption) {
  client::LoadConnection& connection = make();
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EADDRNOTAVAIL);
  kernel_.expect_close(kFd);
  connection.open();
  EXPECT_EQ(errors(LoadError::no_local_port), 1U);
  EXPECT_EQ(only_error(),
            "connection 0: all local ports are in use: give more addresses with --source");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, WithoutADescriptorItFailsAtOnce) {
  client::LoadConnection& connection = make();
  kernel_.expect_socket_error(EMFILE);
  connection.open();
  EXPECT_EQ(errors(LoadError::connect_failed), 1U);
  EXPECT_EQ(only_error(), "connection 0: cannot connect: Too many open files");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, AFailedRegistrationClosesTheDescriptor) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  kernel_.expect_add(kFd, kInterest, ENOSPC);
  kernel_.expect_close(kFd);
  connection.open();
  EXPECT_EQ(errors(LoadError::connect_failed), 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, AConnectionThatFailsHasItsRetransmissionsCountedAndNoRoundTrip) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  tcp_info info{};
  info.tcpi_total_retrans = 2;
  kernel_.set_tcp_info(kFd, info);
  kernel_.set_socket_error(kFd, ETIMEDOUT);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLERR | EPOLLHUP}}, -1);
  iterate();
  EXPECT_EQ(context_.tally.retransmissions, 2U);
  EXPECT_EQ(context_.tally.round_trip.count(), 0U);
  EXPECT_EQ(context_.tally.connect.count(), 0U);
}

TEST_F(LoadConnectionFailureTest, AnEventThatDoesNotCompleteTheConnectIsIgnored) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  kernel_.expect_epoll_wait({{kFd, EPOLLPRI}}, -1);
  iterate();
  EXPECT_EQ(context_.opening, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(LoadConnectionFailureTest, AConnectThatDoesNotCompleteInTimeFails) {
  plan_.timeout = seconds(5);
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  iterate_and_sweep(milliseconds(4999));
  EXPECT_EQ(context_.opening, 1U);
  kernel_.advance(milliseconds(1));
  kernel_.expect_epoll_wait({}, -1);
  iterate();
  kernel_.expect_close(kFd);
  connection.check_timeouts();
  EXPECT_EQ(errors(LoadError::connect_timeout), 1U);
  EXPECT_EQ(only_error(), "connection 0: no answer to connect");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, ASendThatFailsOnTheTurnOfTheConnectionEndsItOnce) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLOUT | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_error(kFd, EAGAIN);
  kernel_.expect_send_error(kFd, EPIPE);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(only_error(), "connection 0: send: Broken pipe");
  expect_nothing_left();
}

// The server ends it.

TEST_F(LoadConnectionFailureTest, AnEndOfFileBeforeOurHalfCloseIsAnError) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  expect_recv(kFd, 0, 10);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::closed_early), 1U);
  EXPECT_EQ(only_error(), "connection 0: closed by the server, 54 bytes owed");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, AnIdleConnectionThatIsClosedIsAnErrorToo) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(only_error(), "connection 0: closed by the server, 0 bytes owed");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, BytesBeforeTheEndOfFileCount) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  expect_recv(kFd, 0, kBytes);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(errors(LoadError::closed_early), 1U);
}

TEST_F(LoadConnectionFailureTest, AResetIsCountedAndEndsTheConnection) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP}}, -1);
  kernel_.expect_recv_error(kFd, ECONNRESET);
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_LINGER, 1);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::reset), 1U);
  EXPECT_EQ(only_error(), "connection 0: recv: Connection reset by peer");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, AResetFoundBySendIsOneToo) {
  client::LoadConnection& connection = connect(kFd);
  kernel_.expect_send_error(kFd, ECONNRESET);
  connection.start();
  EXPECT_EQ(errors(LoadError::reset), 1U);
  EXPECT_EQ(only_error(), "connection 0: send: Connection reset by peer");
  expect_nothing_left();
}

// Lost connections.

TEST_F(LoadConnectionFailureTest, ALostConnectionIsMadeAgainAndIsBackWithItsFirstEcho) {
  plan_.timeout = seconds(5);
  connect_and_send(kFd);
  answer_and_send_next(kFd, 0);
  reset(kFd);
  EXPECT_EQ(context_.tally.lost, 1U);
  ASSERT_EQ(context_.lost_slots.size(), 1U) << "it had echoed, so it is reopened at once";
  kernel_.advance(milliseconds(300));
  expect_connect(kOther);
  number_of_[kOther] = 0;
  connections_.front().reopen();
  kernel_.expect_epoll_wait({{kOther, EPOLLOUT}});
  expect_send(kOther, 2 * kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.outage.count(), 0U);
  kernel_.advance(milliseconds(200));
  answer_and_send_next(kOther, 2);
  EXPECT_EQ(context_.tally.outage.count(), 1U);
  EXPECT_EQ(context_.tally.outage.max(), milliseconds(500));
  EXPECT_EQ(only_error(), "connection 0: recv: Connection reset by peer");
}

TEST_F(LoadConnectionFailureTest, AConnectionThatFailsAgainBeforeItEchoesIsTheSameFailure) {
  connect_and_send(kFd);
  reset(kFd);
  EXPECT_TRUE(context_.lost_slots.empty()) << "it had not echoed, so it is not reopened at once";
  for (int i = 0; i < 3; ++i) {
    sweep_and_reconnect(milliseconds(100), kOther);
    kernel_.expect_epoll_wait({{kOther, EPOLLOUT}});
    kernel_.set_socket_error(kOther, ECONNREFUSED);
    kernel_.expect_close(kOther);
    iterate();
  }
  EXPECT_EQ(context_.tally.lost, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 1U);
  EXPECT_EQ(context_.tally.outage.count(), 0U);
}

TEST_F(LoadConnectionFailureTest, ALostConnectionStaysClosedUntilEveryConnectionHasBeenTried) {
  context_.is_ready = false;
  connect_and_send(kFd);
  reset(kFd);
  iterate_and_sweep(milliseconds(100));
  EXPECT_EQ(context_.opening, 0U);
  context_.is_ready = true;
  sweep_and_reconnect(milliseconds(100), kOther);
  EXPECT_EQ(context_.opening, 1U);
}

TEST_F(LoadConnectionFailureTest, AWrongByteIsAnErrorAlsoWhileTheConnectionCountsAsLost) {
  connect_and_send(kFd);
  reset(kFd);
  sweep_and_reconnect(milliseconds(100), kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLOUT}});
  expect_send(kOther, kBytes, kBytes);
  iterate();
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}}, -1);
  kernel_.expect_recv(kOther, std::string(kBytes, '\0'));
  iterate();
  EXPECT_EQ(context_.tally.mismatches(), 1U);
}

TEST_F(LoadConnectionFailureTest, AnIdleConnectionIsBackWhenItIsOpen) {
  context_.active = 0;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  iterate();
  sweep_and_reconnect(milliseconds(100), kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLOUT}});
  iterate();
  EXPECT_EQ(context_.tally.lost, 1U);
  EXPECT_EQ(context_.tally.outage.max(), milliseconds(100));
}

TEST_F(LoadConnectionFailureTest, AtTheEndALostConnectionIsNotReopened) {
  connect_and_send(kFd);
  reset(kFd);
  context_.is_stopping = true;
  iterate_and_sweep(seconds(60));
  EXPECT_EQ(kernel_.count(Call::socket), 1U);
}

TEST_F(LoadConnectionFailureTest, FailedMessagesCountAsTheTimeoutAndNotAsFastAnswers) {
  plan_.timeout = seconds(5);
  connect_and_send(kFd);
  kernel_.advance(milliseconds(1));
  reset(kFd);
  EXPECT_EQ(context_.tally.latency.count(), 1U);
  EXPECT_EQ(context_.tally.latency.max(), seconds(5));
}

// The server does nothing.

TEST_F(LoadConnectionFailureTest, AServerThatOwesBytesForTheTimeoutHasStalled) {
  plan_.timeout = seconds(5);
  connect_and_send(kFd);
  iterate_and_sweep(seconds(4));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, 10);  // Progress.
  iterate();
  iterate_and_sweep(milliseconds(4999));
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  iterate_and_sweep(milliseconds(1));
  EXPECT_EQ(errors(LoadError::stalled), 1U);
  EXPECT_EQ(only_error(), "connection 0: stalled: 54 bytes never came back");
  expect_nothing_left();
  EXPECT_EQ(context_.tally.latency.count(), 1U) << "the wait counts";
  EXPECT_EQ(context_.tally.latency.max(), seconds(9));
  EXPECT_EQ(context_.tally.echoes, 0U);
}

TEST_F(LoadConnectionFailureTest, TheTimeBeforeAMessageWasBegunDoesNotCount) {
  plan_.timeout = seconds(5);
  client::LoadConnection& connection = connect(kFd);
  iterate_and_sweep(seconds(100));
  expect_send(kFd, 0, kBytes);
  connection.start();
  iterate_and_sweep(milliseconds(4999));
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  iterate_and_sweep(milliseconds(1));
  EXPECT_EQ(errors(LoadError::stalled), 1U);
}

TEST_F(LoadConnectionFailureTest, AbandoningFailsEveryOutstandingMessage) {
  plan_.depth = 3;
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, 3 * kBytes);
  connection.start();
  kernel_.advance(seconds(2));
  kernel_.expect_epoll_wait({}, -1);
  iterate();
  connection.stop();
  connection.abandon();
  EXPECT_EQ(context_.tally.latency.count(), 3U);
  EXPECT_EQ(context_.tally.latency.min(), plan_.timeout);
  EXPECT_EQ(context_.tally.lost, 0U);
  EXPECT_EQ(only_error(), "connection 0: the run was over before 192 bytes came back");
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, AbandoningAnIdleConnectionIsNoError) {
  client::LoadConnection& connection = connect(kFd);
  connection.stop();
  connection.abandon();
  EXPECT_EQ(context_.tally.connected, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(LoadConnectionFailureTest, AbandoningAnOpeningConnectionIsNoError) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  connection.abandon();
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  EXPECT_EQ(context_.opening, 0U);
  expect_nothing_left();
}

TEST_F(LoadConnectionFailureTest, DestroyingItClosesItAndCountsNothing) {
  connect_and_send(kFd);
  kernel_.expect_close(kFd);
  connections_.clear();
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

}  // namespace
}  // namespace echod::test
