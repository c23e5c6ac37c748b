// The daemon stops: what the receive queue holds is echoed and no more, then FIN, then theirs. And
// what ends a connection at once, in any state.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kDiscardAtOnce = Relay::kPeekBytes;

class ConnectionDrainTest : public EchoFixture {
 protected:
  // Brings kFd to the state lingering; `unacknowledged` bytes of its echo are on their way.
  Connection& connect_lingering() {
    Connection& connection = connect(kFd);
    connection.begin_drain();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_shutdown(kFd, SHUT_WR);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_discard_error(kFd, EAGAIN);
    iterate();
    return connection;
  }
};

TEST_F(ConnectionDrainTest, OfAnIdleConnectionIsFinThenDiscardUntilTheirFin) {
  connect_lingering();
  expect_rest();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_discard(kFd, 100, kDiscardAtOnce);
  kernel_.expect_discard_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(count(Counter::bytes_discarded), 100U);
  EXPECT_EQ(count(Counter::echoes), 0U);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_discard(kFd, 0);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::drained), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
}

TEST_F(ConnectionDrainTest, EchoesWhatTheQueueHoldsAndNotAByteMore) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 5);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "hello");  // More has arrived since, and stays.
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_shutdown(kFd, SHUT_WR);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_discard(kFd, 7);
  kernel_.expect_discard_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "hello");
  EXPECT_EQ(count(Counter::bytes_discarded), 7U);
}

TEST_F(ConnectionDrainTest, NeverAsksTheKernelForMoreThanItsAllowance) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, static_cast<int>(kBlockBytes) + 3);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd);
  kernel_.expect_recv_full(kFd);  // Gives exactly what was asked for.
  kernel_.expect_send_any(kFd);
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(kernel_.received(kFd).size(), kBlockBytes + 3);
  EXPECT_EQ(kernel_.sent(kFd), kernel_.received(kFd));
}

TEST_F(ConnectionDrainTest, ReadsOnAfterAShortReadUntilTheAllowanceIsUsed) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 5);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "he");
  kernel_.expect_send(kFd, "he");
  kernel_.expect_recv(kFd, "llo");
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_shutdown(kFd);
  iterate();
}

TEST_F(ConnectionDrainTest, EndsWithAFinWhenLessWasThereThanTheQueueSaid) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 5);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "he");
  kernel_.expect_send(kFd, "he");
  kernel_.expect_recv_error(kFd, EAGAIN);
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionDrainTest, GivesTheOthersTheirTurnsWhenTheBudgetIsSpent) {
  context_.settings.turn_reads = 1;
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 20);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd);
  iterate();
  EXPECT_EQ(kernel_.received(kFd).size(), 20U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_shutdown(kFd);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_discard(kFd, kDiscardAtOnce);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_discard_error(kFd, EAGAIN);
  iterate();
  expect_rest();
}

TEST_F(ConnectionDrainTest, AFinWithinTheAllowanceEndsTheConnectionAsDrained) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 5);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::drained), 1U);
}

TEST_F(ConnectionDrainTest, WhileFlushingFlushesFirstAndThenEchoesTheAllowance) {
  Connection& connection = connect_owing(kFd);
  kernel_.set_unread(kFd, 3);
  connection.begin_drain();
  expect_rest();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, 0);
  kernel_.expect_recv(kFd, "bye");
  kernel_.expect_send(kFd, "bye");
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "hellobye");
}

TEST_F(ConnectionDrainTest, WhileFlushingWithAnEmptyQueueNeedsNoEventToEnd) {
  Connection& connection = connect_owing(kFd);
  connection.begin_drain();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_shutdown(kFd);
  iterate();
}

TEST_F(ConnectionDrainTest, FlipsWhenTheAllowanceDoesNotFitAndGoesOnWhereItStopped) {
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 7);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 4);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_send(kFd, "o");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "!!");
  kernel_.expect_send(kFd, "!!");
  kernel_.expect_shutdown(kFd);
  iterate();
}

TEST_F(ConnectionDrainTest, WithoutABufferHonoursTheAllowanceToo) {
  set_buffers(kBlockBytes, 0);
  Connection& connection = connect(kFd);
  kernel_.set_unread(kFd, 5);
  connection.begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_full(kFd, MSG_PEEK);  // Asked for 5.
  kernel_.expect_send_any(kFd);
  kernel_.expect_discard(kFd, 5, 5);
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd).size(), 5U);
}

TEST_F(ConnectionDrainTest, ChangesNothingForAConnectionThatIsDeliveringOrClosed) {
  Connection& connection = connect(kFd);
  kernel_.set_unacknowledged(kFd, 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_shutdown(kFd);
  iterate();
  connection.begin_drain();
  expect_rest();
  kernel_.set_unacknowledged(kFd, 0);
  kernel_.expect_epoll_wait({{kFd, EPOLLHUP}});
  kernel_.expect_close(kFd).then([&] { connection.begin_drain(); });
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ConnectionDrainTest, AfterTheirFinWaitsForTheAcknowledgementOfTheTail) {
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 6);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_discard(kFd, 0);  // And no second shutdown.
  iterate();
  EXPECT_FALSE(kernel_.was_closed(kFd));
  kernel_.set_unacknowledged(kFd, 0);
  kernel_.expect_epoll_wait({{kFd, EPOLLHUP}});
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::drained), 1U);
}

TEST_F(ConnectionDrainTest, AShutdownThatFindsTheConnectionResetIsAReset) {
  connect(kFd).begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_shutdown(kFd, SHUT_WR, ENOTCONN);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  expect_rest();
}

TEST_F(ConnectionDrainTest, AResetWhileLingeringIsTheReason) {
  connect_lingering();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP}});
  kernel_.expect_discard_error(kFd, ECONNRESET);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
}

// The turn that reads the FIN is the one that the RST's event brought: there is no other.
TEST_F(ConnectionDrainTest, AResetBehindTheirFinIsTheReason) {
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 1);
  kernel_.set_socket_error(kFd, ECONNRESET);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP}});
  kernel_.expect_discard(kFd, 0);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
}

// Abort.

class ConnectionAbortTest : public ConnectionDrainTest {
 protected:
  void abort_and_expect_close(Connection& connection) {
    kernel_.expect_close(kFd);
    connection.abort(CloseReason::drain_deadline);
    kernel_.verify();
    connection.abort(CloseReason::forced);  // The first reason is final.
    EXPECT_EQ(closed(CloseReason::drain_deadline), 1U);
    EXPECT_EQ(closed_in_all(), 1U);
    EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
    EXPECT_EQ(shared_.admission.connections(), 0U);
    expect_rest();
    EXPECT_EQ(context_.table.size(), 0U);
    EXPECT_EQ(kernel_.count(Call::close), 1U);
  }
};

TEST_F(ConnectionAbortTest, ClosesAConnectionThatIsEchoing) {
  abort_and_expect_close(connect(kFd));
  EXPECT_EQ(kernel_.count(Call::setsockopt), 0U) << "FIN is the truth";
}

TEST_F(ConnectionAbortTest, ClosesAConnectionThatIsInTheReadyList) {
  context_.settings.turn_reads = 1;
  Connection& connection = connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_full(kFd);
  kernel_.expect_send_any(kFd);
  iterate();
  abort_and_expect_close(connection);
}

TEST_F(ConnectionAbortTest, ClosesAConnectionThatIsFlushingByAResetAndGivesItsBlockBack) {
  abort_and_expect_close(connect_owing(kFd));
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1)
      << "a FIN would say that this was all";
  EXPECT_TRUE(has_logged("in=5 out=2 duration=0.000s reason=drain_deadline\n"));
}

TEST_F(ConnectionAbortTest, ClosesAConnectionThatIsDelivering) {
  Connection& connection = connect(kFd);
  kernel_.set_unacknowledged(kFd, 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_shutdown(kFd);
  iterate();
  abort_and_expect_close(connection);
}

TEST_F(ConnectionAbortTest, ClosesAConnectionThatIsLingering) {
  abort_and_expect_close(connect_lingering());
}

}  // namespace
}  // namespace echod::test
