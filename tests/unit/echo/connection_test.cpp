#include "echo/connection.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "echo_fixture.hpp"

namespace echod::test {
namespace {

const std::string kFullBlock = "0123456789abcdef";

class ConnectionTest : public EchoFixture {};

TEST_F(ConnectionTest, IsRegisteredForDataUrgentDataAndHalfCloseByEdges) {
  kernel_.expect_add(kFd, kReading);
  connect(kFd);
  kernel_.verify();
  EXPECT_TRUE(has_logged("debug open peer=192.0.2.1:5555 fd=7"));
}

TEST_F(ConnectionTest, AnEchoIsOneRecvAndOneSendBecauseAShortReadStandsInForEagain) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  expect_rest();
  EXPECT_EQ(kernel_.count(Call::recv), 1U);
  EXPECT_EQ(kernel_.count(Call::send), 1U);
  EXPECT_EQ(kernel_.count(Call::epoll_modify), 0U);
  EXPECT_EQ(kernel_.count(Call::ioctl), 0U);
}

TEST_F(ConnectionTest, EveryEchoIsCounted) {
  connect(kFd);
  for (int i = 0; i < 3; ++i) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_recv(kFd, "hello");
    kernel_.expect_send(kFd, "hello");
    iterate();
  }
  EXPECT_EQ(count(Counter::echoes), 3U);
  EXPECT_EQ(count(Counter::bytes_received), 15U);
  EXPECT_EQ(count(Counter::bytes_sent), 15U);
  EXPECT_EQ(count(Counter::flips_to_write), 0U);
  EXPECT_EQ(count(Counter::unbuffered_reads), 0U);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

TEST_F(ConnectionTest, EchoesAreLoggedOnlyIfThatIsWanted) {
  connect(kFd);
  context_.log.set_logs_echoes(true);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_TRUE(has_logged("trace echo peer=192.0.2.1:5555 fd=7 in=5 out=5"));
}

TEST_F(ConnectionTest, ATurnReadsNotAByteMoreThanItsShare) {
  context_.settings.turn_bytes = 2 * kBlockBytes + 8;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  for (int i = 0; i < 3; ++i) {
    kernel_.expect_recv_full(kFd);  // The last of them asks for 8.
    kernel_.expect_send_any(kFd);
  }
  iterate();
  EXPECT_EQ(kernel_.received(kFd).size(), 2 * kBlockBytes + 8);
  EXPECT_EQ(kernel_.sent(kFd), kernel_.received(kFd));
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
}

TEST_F(ConnectionTest, ATurnPeeksAtNotAByteMoreThanItsShare) {
  set_buffers(kBlockBytes, 0);
  context_.settings.turn_bytes = 5;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_full(kFd, MSG_PEEK);
  kernel_.expect_send_any(kFd);
  kernel_.expect_discard(kFd, 5, 5);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd).size(), 5U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_peek_error(kFd, EAGAIN);
  iterate();
}

TEST_F(ConnectionTest, AReadThatFillsTheBlockIsFollowedByAnotherUntilEagain) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::echoes), 1U);
}

TEST_F(ConnectionTest, AnEdgeWithoutDataCostsOneRecv) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  expect_rest();
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTest, AReadThatASignalInterruptsIsMadeAgain) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_error(kFd, EINTR);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", EINTR);
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(count(Counter::echoes), 1U);
}

// End of input.

TEST_F(ConnectionTest, AFinWithNothingOwedClosesTheConnectionAndItsDescriptorOnce) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(kernel_.count(Call::close), 1U);
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
  EXPECT_EQ(count(Counter::empty_connections), 0U);
  EXPECT_EQ(shared_.admission.connections(), 0U);
  EXPECT_EQ(context_.table.size(), 0U);
  EXPECT_TRUE(
      has_logged("debug close peer=192.0.2.1:5555 fd=7 in=5 out=5 duration=0.000s "
                 "reason=peer_closed\n"));
  expect_rest();
}

TEST_F(ConnectionTest, AConnectionThatEndsWithoutAByteIsCountedAsEmpty) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(count(Counter::empty_connections), 1U);
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ConnectionTest, DataThatCameWithAFinIsEchoedBeforeTheConnectionEnds) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ConnectionTest, AFinThatUsedUpItsEdgeInATurnThatEndedOnItsBudgetIsNotForgotten) {
  context_.settings.turn_reads = 1;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "hello");  // Short, but the FIN will not be announced again.
  kernel_.expect_send(kFd, "hello");
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kFd));
}

TEST_F(ConnectionTest, AFinThatIsAnnouncedWhileTheConnectionWaitsInTheReadyListIsNotForgotten) {
  context_.settings.turn_reads = 1;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, 0);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kFd));
}

// Events that make a short read prove nothing.

TEST_F(ConnectionTest, AfterUrgentDataItReadsToEagainBecauseRecvStopsAtTheMark) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLPRI}});
  kernel_.expect_recv(kFd, "abc");
  kernel_.expect_send(kFd, "abc");
  kernel_.expect_recv(kFd, "!");
  kernel_.expect_send(kFd, "!");
  kernel_.expect_recv(kFd, "def");
  kernel_.expect_send(kFd, "def");
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(kernel_.sent(kFd), "abc!def");
}

TEST_F(ConnectionTest, UrgentDataAloneIsReasonEnoughToRead) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLPRI}});
  kernel_.expect_recv(kFd, "!");
  kernel_.expect_send(kFd, "!");
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
}

TEST_F(ConnectionTest, OnceEagainWasSeenAShortReadEndsTheTurnAgain) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLPRI}});
  kernel_.expect_recv(kFd, "!");
  kernel_.expect_send(kFd, "!");
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  expect_rest();
}

TEST_F(ConnectionTest, AHangUpOnlyCausesReadsWhichGetWhatIsLeft) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_recv_error(kFd, ECONNRESET);
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_TRUE(has_logged("in=5 out=5 duration=0.000s reason=reset (Connection reset by peer)"));
}

TEST_F(ConnectionTest, AnErrorEventWithoutAnErrorClosesNothing) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLERR}});
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(closed_in_all(), 0U);
  expect_rest();
}

// Budgets.

TEST_F(ConnectionTest, ATurnThatHasSpentItsBytesIsContinuedWithoutAnEvent) {
  context_.settings.turn_bytes = 2 * kBlockBytes;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  for (int i = 0; i < 2; ++i) {
    kernel_.expect_recv(kFd, kFullBlock);
    kernel_.expect_send(kFd, kFullBlock);
  }
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "rest");
  kernel_.expect_send(kFd, "rest");
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1U);
  expect_rest();
}

TEST_F(ConnectionTest, ATurnThatHasSpentItsReadsIsContinuedWithoutAnEvent) {
  context_.settings.turn_reads = 3;
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLPRI}}, -1);
  for (int i = 0; i < 3; ++i) {
    kernel_.expect_recv(kFd, "!");
    kernel_.expect_send(kFd, "!");
  }
  iterate();
  EXPECT_EQ(count(Counter::turns_over_budget), 1U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  expect_rest();
}

TEST_F(ConnectionTest, OneThatSpentItsBudgetComesBehindThoseThatHadNoTurn) {
  context_.settings.turn_reads = 1;
  connect(kFd);
  connect(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  iterate();
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}}, 0);
  kernel_.expect_recv(kOther, "ping");
  kernel_.expect_send(kOther, "ping");
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  iterate();
}

// Stale events and neighbours.

TEST_F(ConnectionTest, AStaleEventDoesNotReachTheNextUserOfTheDescriptor) {
  connect(kFd).abort(CloseReason::forced);
  context_.table.destroy_retired();
  const std::uint64_t stale = kernel_.token_of(kFd);
  kernel_.expect_accept(3, kFd);
  (void)sys::accept(3).fd.release();
  connect(kFd);
  ASSERT_NE(kernel_.token_of(kFd), stale);
  kernel_.expect_epoll_wait({{.fd = kFd, .events = EPOLLIN | EPOLLHUP | EPOLLERR, .token = stale}});
  iterate();
  EXPECT_EQ(loop_.stale_events(), 1U);
  EXPECT_FALSE(kernel_.was_closed(kFd));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
}

TEST_F(ConnectionTest, ThatClosesItselfInItsTurnLeavesItsNeighboursTheirs) {
  connect(kFd);
  connect(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}, {kOther, EPOLLIN}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_recv(kOther, "hello");
  kernel_.expect_send(kOther, "hello");
  iterate();
  EXPECT_EQ(context_.table.size(), 1U);
}

TEST_F(ConnectionTest, ThatIsClosedByItsNeighbourLosesTheTurnThatItWaitedFor) {
  connect(kFd);
  Connection& neighbour = connect(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello").then([&] { neighbour.abort(CloseReason::forced); });
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kOther));
  EXPECT_EQ(context_.table.size(), 1U);
  expect_rest();
}

TEST_F(ConnectionTest, ThatSpentItsBudgetAndIsClosedByItsNeighbourGetsNoTurnFromTheReadyList) {
  context_.settings.turn_reads = 1;
  Connection& flood = connect(kFd);
  connect(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}});
  kernel_.expect_recv(kFd, kFullBlock);
  kernel_.expect_send(kFd, kFullBlock);
  kernel_.expect_recv(kOther, "hello");
  kernel_.expect_send(kOther, "hello").then([&] { flood.abort(CloseReason::forced); });
  iterate();
  EXPECT_TRUE(kernel_.was_closed(kFd));
  expect_rest();
}

TEST_F(ConnectionTest, ThatIsAliveWhenItsTableGoesIsClosedOnce) {
  {
    EchoContext context(loop_, small_settings(), logger_, shared_.line_limits,
                        shared_.pinned_rounds, {shared_.admission, 1});
    ASSERT_TRUE(context.table.reserve());
    context.table.create(context, 0, sys::UniqueFd::adopt(kFd), peer_).start();
  }
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_EQ(kernel_.count(Call::close), 1U);
}

}  // namespace
}  // namespace echod::test
