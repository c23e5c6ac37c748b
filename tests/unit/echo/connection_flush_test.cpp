// A connection that could not send at once: it flips to EPOLLOUT, flushes, and flips back.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

class ConnectionFlushTest : public EchoFixture {};

TEST_F(ConnectionFlushTest, AReplyThatDoesNotFitFlipsToOutAloneAndEndsTheTurn) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 2);
  kernel_.expect_modify(kFd, EPOLLOUT | EPOLLET);
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::flips_to_write), 1U);
  EXPECT_EQ(count(Counter::echoes), 1U);
  EXPECT_EQ(count(Counter::bytes_received), 5U);
  EXPECT_EQ(count(Counter::bytes_sent), 2U);
  EXPECT_EQ(context_.relay.buffered_bytes(), kBlockBytes);
}

TEST_F(ConnectionFlushTest, ASendThatTakesNothingFlipsToOutWithAllOfItOwed) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", EAGAIN);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  EXPECT_EQ(count(Counter::bytes_sent), 0U);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  EXPECT_EQ(count(Counter::bytes_sent), 5U);
}

TEST_F(ConnectionFlushTest, WhatIsOwedGoesOutInStepsWithoutAReadBetween) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_send(kFd, "llo", 1);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_send(kFd, "lo", 1);
  iterate();
  EXPECT_EQ(context_.relay.buffered_bytes(), kBlockBytes);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_send(kFd, "o");
  kernel_.expect_modify(kFd, EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET);
  iterate();
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
  EXPECT_EQ(kernel_.sent(kFd), "hello");
  EXPECT_EQ(count(Counter::bytes_sent), 5U);
  EXPECT_EQ(count(Counter::echoes), 1U);
  expect_rest();
}

TEST_F(ConnectionFlushTest, ASpuriousOutChangesNothing) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send_error(kFd, "llo", EAGAIN);
  iterate();
  EXPECT_EQ(context_.relay.buffered_bytes(), kBlockBytes);
  expect_rest();
}

TEST_F(ConnectionFlushTest, AfterTheFlipBackTheEventOfTheFlipBringsTheNextRead) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, "more");
  kernel_.expect_send(kFd, "more");
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), kernel_.received(kFd));
}

TEST_F(ConnectionFlushTest, EachConnectionOwesFromABlockOfItsOwn) {
  connect_owing(kFd);
  connect_owing(kOther);
  EXPECT_EQ(context_.relay.buffered_bytes(), 2 * kBlockBytes);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}, {kOther, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  kernel_.expect_send(kOther, "llo");
  kernel_.expect_modify(kOther, kReading);
  iterate();
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

// What arrives while only OUT is registered.

TEST_F(ConnectionFlushTest, AFinThatArrivesWhileFlushingIsReadAfterTheFlipBackAndNothingIsLost) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  EXPECT_FALSE(kernel_.was_closed(kFd));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "hello");
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ConnectionFlushTest, DataAndAFinThatArriveWhileFlushingAreEchoedAfterTheFlipBack) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv(kFd, "bye");
  kernel_.expect_send(kFd, "bye", 1);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "ye");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "hellobye");
  EXPECT_TRUE(kernel_.was_closed(kFd));
}

TEST_F(ConnectionFlushTest, AnRstThatArrivesWhileFlushingIsWhatSendSaysOfIt) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLERR | EPOLLHUP}});
  kernel_.expect_send_error(kFd, "llo", ECONNRESET);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
  EXPECT_TRUE(has_logged("in=5 out=2 duration=0.000s reason=reset (Connection reset by peer)"));
}

TEST_F(ConnectionFlushTest, AnErrorEventWhileFlushingClosesNothingThatSendStillServes) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLERR}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  EXPECT_FALSE(kernel_.was_closed(kFd));
  // And till EAGAIN a short read proves nothing.
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "more");
  kernel_.expect_send(kFd, "more");
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
}

// A flip that fails.

TEST_F(ConnectionFlushTest, AFlipToOutThatFailsClosesTheConnection) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 2);
  kernel_.expect_modify(kFd, kWriting, ENOMEM);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

TEST_F(ConnectionFlushTest, AFlipBackToInThatFailsClosesTheConnection) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading, ENOMEM);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  expect_rest();
}

// The peer's FIN was read, and not all of our bytes are acknowledged.

class ConnectionDeliveryTest : public EchoFixture {
 protected:
  void connect_delivering() {
    connect(kFd);
    kernel_.set_unacknowledged(kFd, 5);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
    kernel_.expect_recv(kFd, "hello");
    kernel_.expect_send(kFd, "hello");
    kernel_.expect_recv_eof(kFd);
    kernel_.expect_shutdown(kFd, SHUT_WR);
    iterate();
  }
};

TEST_F(ConnectionDeliveryTest, SendsOurFinAndHoldsTheDescriptorUntilAllIsAcknowledged) {
  connect_delivering();
  EXPECT_FALSE(kernel_.was_closed(kFd));
  kernel_.set_unacknowledged(kFd, 6);  // Our FIN is one.
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  iterate();
  EXPECT_FALSE(kernel_.was_closed(kFd));
  kernel_.set_unacknowledged(kFd, 0);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP | EPOLLHUP}});
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ConnectionDeliveryTest, AResetIsTheReasonAndNotACleanEnd) {
  connect_delivering();
  kernel_.set_socket_error(kFd, ECONNRESET);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP}});
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
}

TEST_F(ConnectionDeliveryTest, AKernelThatGivesUpIsTheReason) {
  connect_delivering();
  kernel_.set_socket_error(kFd, ETIMEDOUT);
  kernel_.expect_epoll_wait({{kFd, EPOLLERR | EPOLLHUP}});
  iterate();
  EXPECT_EQ(closed(CloseReason::timed_out), 1U);
}

TEST_F(ConnectionDeliveryTest, AnErrorEventWithoutAnErrorOnlyAsksAgain) {
  connect_delivering();
  kernel_.expect_epoll_wait({{kFd, EPOLLERR}});
  iterate();
  EXPECT_FALSE(kernel_.was_closed(kFd));
}

TEST_F(ConnectionDeliveryTest, AShutdownThatFindsTheConnectionResetIsAReset) {
  connect(kFd);
  kernel_.set_unacknowledged(kFd, 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_shutdown(kFd, SHUT_WR, ENOTCONN);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
}

TEST_F(ConnectionDeliveryTest, FollowsAFlushWhenBytesWereOwedAtTheFin) {
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_shutdown(kFd);
  iterate();
  kernel_.set_unacknowledged(kFd, 0);
  kernel_.expect_epoll_wait({{kFd, EPOLLHUP}});
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

}  // namespace
}  // namespace echod::test
