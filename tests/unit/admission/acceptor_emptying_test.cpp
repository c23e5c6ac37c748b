// The end of an acceptor: every client that waits is served.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "acceptor_fixture.hpp"
#include "admission/acceptor.hpp"

namespace echod::test {
namespace {

using AcceptorEmptyingTest = AcceptorTest;

TEST_F(AcceptorEmptyingTest, AcceptsBeyondTheLimitAndItsShareATurnAtATimeAndLetsGo) {
  for (int fd = kFirst; fd < kFirst + 4; ++fd) {
    connect(fd);
  }
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  expect_accepts(kFirst + 4, kFirst + 7);  // turn_accepts is 4.
  iterate();
  EXPECT_FALSE(acceptor_.is_closed());
  expect_no_wait();
  expect_accepts(kFirst + 8, kFirst + 9);
  expect_empty_queue();
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());
  EXPECT_EQ(shared_.admission.connections(), 10U);
  expect_rest();
}

TEST_F(AcceptorEmptyingTest, DoesNotWaitForTheTimeOfAnEarlierPause) {
  expect_edge();
  kernel_.expect_accept_error(kListener, EMFILE);
  iterate();
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  expect_accepts(kFirst, kFirst);
  expect_empty_queue();
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());
}

TEST_F(AcceptorEmptyingTest, GoesOnWhenAConnectionEndsIfItRunsShort) {
  connect(kFd);
  context_.is_draining = true;
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  kernel_.expect_accept_error(kListener, ECONNABORTED);
  kernel_.expect_accept_error(kListener, EMFILE);
  iterate();
  EXPECT_FALSE(acceptor_.is_closed());
  EXPECT_TRUE(has_logged("info stopping: clients wait in the backlog of 192.0.2.9:2003 "));
  EXPECT_FALSE(has_logged("cannot accept"));
  expect_end_of(kFd);
  iterate();

  kernel_.set_unread(kFirst, 5);
  expect_no_wait();
  expect_accepts(kFirst, kFirst);
  expect_empty_queue();
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());

  // A client that comes in then is drained like the others.
  expect_no_wait();
  kernel_.expect_recv(kFirst, "hello");
  kernel_.expect_send(kFirst, "hello");
  kernel_.expect_shutdown(kFirst);
  iterate();
}

TEST_F(AcceptorEmptyingTest, TriesAgainByTheClockIfItRunsShort) {
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  kernel_.expect_accept_error(kListener, ENFILE);
  iterate();
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  expect_accepts(kFirst, kFirst);
  kernel_.expect_accept_error(kListener, ENFILE);
  iterate();
  EXPECT_FALSE(acceptor_.is_closed());
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  expect_empty_queue();
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());
}

TEST_F(AcceptorEmptyingTest, NewcomersDoNotKeepItFromLettingGo) {
  acceptor_.set_accepts_in_a_turn(100);
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  expect_accepts(kFirst, kFirst + kListenerBacklog);  // The queue holds one more than it is told.
  expect_letting_go();
  iterate();
  EXPECT_EQ(count(Counter::accepted), kListenerBacklog + 1U);
  EXPECT_TRUE(acceptor_.is_closed());
}

TEST_F(AcceptorEmptyingTest, ErrorsDoNotKeepItFromLettingGo) {
  acceptor_.set_accepts_in_a_turn(100);
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  for (int i = 0; i < kListenerBacklog + 1; ++i) {
    kernel_.expect_accept_error(kListener, ECONNABORTED);
  }
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());
}

TEST_F(AcceptorEmptyingTest, LetsGoOfABrokenSocket) {
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  kernel_.expect_accept_error(kListener, EINVAL);
  expect_letting_go();
  iterate();
  EXPECT_TRUE(acceptor_.is_closed());
  EXPECT_EQ(lost_, 1);
}

TEST_F(AcceptorEmptyingTest, LetsGoOfAPassedSocketAtOnceAndLeavesItsQueue) {
  auto passed = std::make_shared<sys::ListenSocket>();
  passed->fd = sys::UniqueFd::adopt(kListener + 1);
  passed->is_passed = true;
  acceptor_.add(std::move(passed));
  kernel_.expect_remove(kListener + 1);
  kernel_.expect_close(kListener + 1);
  acceptor_.accept_waiting_then_close();
  kernel_.verify();
}

TEST_F(AcceptorEmptyingTest, IsSkippedByOtherWorkersFromThenOn) {
  acceptor_.accept_waiting_then_close();
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), std::nullopt);
  acceptor_.on_connections_ended();
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), std::nullopt);
}

// Another worker may still be emptying its queue, and needs the descriptor.
TEST_F(AcceptorEmptyingTest, LeavesTheWishForRoomToOtherWorkersOnceItHasLetGo) {
  connect(kFd);
  acceptor_.close();
  shared_.admission.note_waiting_clients();
  expect_end_of(kFd);
  iterate();
  EXPECT_TRUE(shared_.admission.claim_waiting_clients());
}

TEST_F(AcceptorEmptyingTest, ACloseLetsGoOfWhatIsNotEmpty) {
  acceptor_.accept_waiting_then_close();
  expect_no_wait();
  kernel_.expect_accept_error(kListener, EPERM);
  iterate();
  expect_letting_go();
  acceptor_.close();
  kernel_.verify();
  EXPECT_TRUE(acceptor_.is_closed());
}

TEST_F(AcceptorEmptyingTest, ASocketThatItSharesStaysOpenWhenItLetsGo) {
  const auto shared = listening_on(kListener + 1);
  acceptor_.add(shared);
  acceptor_.close();
  EXPECT_TRUE(kernel_.was_closed(kListener));
  EXPECT_FALSE(kernel_.was_closed(kListener + 1));
}

}  // namespace
}  // namespace echod::test
