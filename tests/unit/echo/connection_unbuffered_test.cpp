// The reply buffers are spent: bytes are peeked at, sent, and then taken from the receive queue.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "allocations.hpp"
#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

class ConnectionUnbufferedTest : public EchoFixture {
 protected:
  ConnectionUnbufferedTest() { set_buffers(kBlockBytes, 0); }

  // Brings kFd to the state flushing: "hello" was peeked at, "he" was sent.
  void connect_flushing() {
    connect(kFd);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_peek(kFd, "hello");
    kernel_.expect_send(kFd, "hello", 2);
    kernel_.expect_discard(kFd, 2, 2);
    kernel_.expect_modify(kFd, kWriting);
    iterate();
  }
};

TEST_F(ConnectionUnbufferedTest, AnEchoIsPeekSendAndDiscardOfExactlyThat) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 5, 5);
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::echoes), 1U);
  EXPECT_EQ(count(Counter::bytes_received), 5U);
  EXPECT_EQ(count(Counter::bytes_sent), 5U);
  EXPECT_EQ(count(Counter::unbuffered_reads), 1U);
}

TEST_F(ConnectionUnbufferedTest, APartialSendDiscardsWhatWasSentAndLeavesTheRestToTheKernel) {
  connect_flushing();
  expect_rest();
  EXPECT_EQ(count(Counter::flips_to_write), 1U);
  EXPECT_EQ(count(Counter::bytes_received), 2U);
  EXPECT_EQ(count(Counter::bytes_sent), 2U);
  // There is nothing of ours to send: straight back to IN.
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_peek(kFd, "llo");
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_discard(kFd, 3, 3);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "hello");
}

TEST_F(ConnectionUnbufferedTest, ASendThatTakesNothingDiscardsNothing) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", EAGAIN);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  EXPECT_EQ(count(Counter::echoes), 0U);
  EXPECT_EQ(count(Counter::bytes_received), 0U);
  expect_rest();
}

TEST_F(ConnectionUnbufferedTest, ADiscardThatStopsShortIsContinued) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 3, 5);
  kernel_.expect_discard(kFd, 2, 2);
  iterate();
  EXPECT_EQ(count(Counter::bytes_received), 5U);
}

TEST_F(ConnectionUnbufferedTest, ADiscardThatFailsEndsTheConnectionBecauseBytesWouldComeTwice) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard_error(kFd, ECONNRESET);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_EQ(count(Counter::bytes_sent), 5U);
  EXPECT_EQ(count(Counter::empty_connections), 0U);
}

TEST_F(ConnectionUnbufferedTest, ADiscardThatFindsNothingEndsTheConnection) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 0, 5);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
}

TEST_F(ConnectionUnbufferedTest, ASendThatFailsEndsTheConnection) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", EPIPE);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_EQ(count(Counter::bytes_received), 5U);
  EXPECT_EQ(count(Counter::bytes_sent), 0U);
  EXPECT_EQ(count(Counter::empty_connections), 0U);
}

TEST_F(ConnectionUnbufferedTest, EagainEndOfFileAndErrorsOfAPeekMeanWhatTheyMeanOfARead) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek_error(kFd, EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_peek_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
  connect(kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLERR}});
  kernel_.expect_peek_error(kOther, ETIMEDOUT);
  kernel_.expect_close(kOther);
  iterate();
  EXPECT_EQ(closed(CloseReason::timed_out), 1U);
}

TEST_F(ConnectionUnbufferedTest, AfterRdhupAShortPeekDoesNotEndTheTurn) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 5, 5);
  kernel_.expect_peek_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
}

TEST_F(ConnectionUnbufferedTest, TheBudgetHoldsWithoutABufferToo) {
  context_.settings.turn_bytes = Relay::kPeekBytes;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_full(kFd, MSG_PEEK);
  kernel_.expect_send_any(kFd);
  kernel_.expect_discard(kFd, Relay::kPeekBytes, Relay::kPeekBytes);
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_peek_error(kFd, EAGAIN);
  iterate();
}

TEST_F(ConnectionUnbufferedTest, AnRstThatArrivesWhileFlippedIsFoundByTheReadAfterTheFlipBack) {
  connect_flushing();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLERR | EPOLLHUP}});
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP}});
  kernel_.expect_peek_error(kFd, ECONNRESET);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
}

TEST_F(ConnectionUnbufferedTest, OnlyWhoeverComesWhileTheBuffersAreSpentGoesWithoutOne) {
  set_buffers(kBlockBytes, kBlockBytes);
  connect_owing(kFd);  // Has the only block.
  connect(kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  kernel_.expect_peek(kOther, "ping");
  kernel_.expect_send(kOther, "ping");
  kernel_.expect_discard(kOther, 4, 4);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  kernel_.expect_recv(kOther, "ping");
  kernel_.expect_send(kOther, "ping");
  iterate();
  EXPECT_EQ(count(Counter::unbuffered_reads), 1U);
}

TEST_F(ConnectionUnbufferedTest, WithoutMemoryForABlockItIsServedAllTheSame) {
  constexpr std::size_t kLargeBlock = 64 * 1024;
  set_buffers(kLargeBlock, 4 * kLargeBlock);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 5, 5);
  {
    const AllocationFailure no_blocks(kLargeBlock);
    iterate();
  }
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
}

}  // namespace
}  // namespace echod::test
