#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "listener_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

using ListenerEmptyingTest = ListenerTest;

// The end.

TEST_F(ListenerEmptyingTest, EmptiesItsQueueBeyondBudgetAndLimitAndLetsGoOfTheSocketInOrder) {
  for (int fd = kFirst; fd < kFirst + 4; ++fd) {
    connect(fd);
  }
  expect_accepts(kFirst + 4, kFirst + 12);
  expect_empty_queue();
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  listener_.begin_emptying();
  kernel_.verify();
  EXPECT_EQ(context_.admission.connections(), 13U);
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ThatWasPausedEmptiesItsQueueAllTheSameAndItsTimerIsGone) {
  expect_edge();
  kernel_.expect_accept_error(kListener, EMFILE);
  iterate();
  expect_accepts(kFirst, kFirst);
  expect_empty_queue();
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  listener_.begin_emptying();
  kernel_.verify();
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ThatRunsShortWhileItsQueueIsEmptiedGoesOnWhenAConnectionLeaves) {
  connect(kFd);
  context_.is_draining = true;
  kernel_.expect_accept_error(kListener, ECONNABORTED);
  kernel_.expect_accept_error(kListener, EMFILE);
  listener_.begin_emptying();
  kernel_.verify();
  EXPECT_FALSE(listener_.is_closed());
  EXPECT_TRUE(has_logged("info stopping: clients still wait on 192.0.2.9:2003 "));
  EXPECT_FALSE(has_logged("cannot accept"));
  expect_end_of(kFd);
  iterate();

  kernel_.set_unread(kFirst, 5);
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirst, kFirst);
  expect_empty_queue();
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  iterate();
  EXPECT_TRUE(listener_.is_closed());

  // Whoever came in then is drained like the others.
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFirst, "hello");
  kernel_.expect_send(kFirst, "hello");
  kernel_.expect_shutdown(kFirst);
  iterate();
}

TEST_F(ListenerEmptyingTest, ALimitThatIsAppliedMeanwhileDoesNotKeepItFromGoingOn) {
  connect(kFd);
  connect(kOther);
  context_.admission.set_max_connections(UINT32_MAX);  // As the worker does.
  context_.is_draining = true;
  kernel_.expect_accept_error(kListener, EMFILE);
  listener_.begin_emptying();
  EchoSettings fewer = small_settings();
  fewer.max_connections = 1;
  context_.apply(fewer);
  expect_end_of(kFd);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_empty_queue();
  iterate();
  EXPECT_TRUE(listener_.is_closed());
}

TEST_F(ListenerEmptyingTest, ThatRunsShortWhileItsQueueIsEmptiedTriesAgainByTheClock) {
  kernel_.expect_accept_error(kListener, ENFILE);
  listener_.begin_emptying();
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirst, kFirst);
  kernel_.expect_accept_error(kListener, ENFILE);
  iterate();
  EXPECT_FALSE(listener_.is_closed());
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_empty_queue();
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  iterate();
  EXPECT_TRUE(listener_.is_closed());
  expect_rest();
}

TEST_F(ListenerEmptyingTest, NewcomersWhileItsQueueIsEmptiedDoNotKeepItFromLettingGo) {
  expect_accepts(kFirst,
                 kFirst + kListenerBacklog);  // The kernel's queue holds one more than it is told.
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  listener_.begin_emptying();
  kernel_.verify();
  EXPECT_EQ(count(Counter::accepted), kListenerBacklog + 1U);
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ErrorsWhileItsQueueIsEmptiedDoNotKeepItFromLettingGo) {
  for (int i = 0; i < kListenerBacklog + 1; ++i) {
    kernel_.expect_accept_error(kListener, ECONNABORTED);
  }
  kernel_.expect_remove(kListener);
  kernel_.expect_close(kListener);
  listener_.begin_emptying();
  kernel_.verify();
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ThatIsForbiddenToAcceptTriesAgainUntilItGoes) {
  {
    Listener other(context_, listening_on(kListener + 1), [](int) {});
    other.start();
    kernel_.expect_accept_error(kListener + 1, EPERM);
    other.begin_emptying();
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_accept_error(kListener + 1, EPERM);
    iterate();
    EXPECT_FALSE(other.is_closed());
    kernel_.expect_remove(kListener + 1);
    kernel_.expect_close(kListener + 1);
  }
  kernel_.verify();
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ThatHasLetGoIsNotResumedByACloseThoughItHadRunShort) {
  connect(kFd);
  expect_edge();
  kernel_.expect_accept_error(kListener, EMFILE);
  iterate();
  expect_empty_queue();
  listener_.begin_emptying();
  EXPECT_TRUE(listener_.is_closed());
  expect_end_of(kFd);
  iterate();
  EXPECT_FALSE(listener_.is_linked());  // In the ready list.
  expect_rest();
}

TEST_F(ListenerEmptyingTest, ASocketThatItSharesStaysOpenWhenItLetsGo) {
  const auto shared = listening_on(kListener + 1);
  Listener other(context_, shared, [](int) {});
  other.start();
  kernel_.expect_accept_error(kListener + 1, EAGAIN);
  kernel_.expect_remove(kListener + 1);
  other.begin_emptying();
  kernel_.verify();
  EXPECT_FALSE(kernel_.was_closed(kListener + 1));
}

}  // namespace
}  // namespace echod::test
