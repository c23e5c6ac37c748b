// The timeouts of a connection, with the clock of the script.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "all_connections.hpp"
#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class ConnectionTimeoutTest : public EchoFixture {
 protected:
  ConnectionTimeoutTest() {
    context_.settings.timeouts = {.idle = 60s, .stalled_write = 10s, .linger = 2s, .drain = 30s};
  }

  // What a timeout sweep does, `time` later.
  void sweep_after(std::chrono::nanoseconds time) {
    pass(time);
    visit_all(context_.table, [](Connection& connection) { connection.check_timeouts(); });
  }
  void echo(const std::string& bytes) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_recv(kFd, bytes);
    kernel_.expect_send(kFd, bytes);
    iterate();
  }
  void connect_echoed(const std::string& bytes) {
    connect(kFd);
    echo(bytes);
  }
  void connect_lingering() {
    connect(kFd).begin_drain();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_shutdown(kFd);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_discard_error(kFd, EAGAIN);
    iterate();
  }
  void half_close() {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
    kernel_.expect_recv_eof(kFd);
    kernel_.expect_shutdown(kFd);
    iterate();
  }
  void connect_delivering() {
    connect(kFd);
    kernel_.set_unacknowledged(kFd, 5);
    half_close();
  }
};

TEST_F(ConnectionTimeoutTest, AnIdleConnectionIsClosedWhenItsTimeIsOverAndNotBefore) {
  connect(kFd);
  sweep_after(60s);  // Perhaps a little less: the clock of the timeouts has ticks of 10 ms.
  EXPECT_EQ(closed_in_all(), 0U);
  kernel_.expect_epoll_wait({});
  kernel_.expect_close(kFd);
  kernel_.advance(10ms);
  loop_.run_once();
  visit_all(context_.table, [](Connection& connection) { connection.check_timeouts(); });
  kernel_.verify();
  EXPECT_EQ(kernel_.count(Call::setsockopt), 0U) << "nothing is owed, so FIN will do";
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
  EXPECT_TRUE(has_logged("duration=60.010s reason=idle_timeout\n"));
}

TEST_F(ConnectionTimeoutTest, AreNotEarlyForAConnectionThatCameLateInATick) {
  context_.settings.timeouts.idle = 100ms;
  pass(9ms);
  connect(kFd);
  sweep_after(91ms);  // Ten ticks.
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, AreNotEarlyWhenTheyAreNoMultipleOfATick) {
  context_.settings.timeouts.idle = 15ms;
  pass(9'999us);
  connect(kFd);
  sweep_after(10'001us);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(20ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, AnEchoStartsTheIdleTimeAnew) {
  connect(kFd);
  pass(50s);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  sweep_after(0s);  // All acknowledged.
  sweep_after(60s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

// A small echo fits into the kernel's buffer whether the peer reads or not: the state is echoing.
TEST_F(ConnectionTimeoutTest, APeerThatTakesItsEchoesSlowlyIsNotIdle) {
  context_.settings.timeouts = {.idle = 10s, .stalled_write = 10s};
  connect_echoed("hello");
  for (int unacknowledged = 100; unacknowledged >= 0; unacknowledged -= 10) {
    kernel_.set_unacknowledged(kFd, unacknowledged);
    sweep_after(9s);
  }
  sweep_after(10s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingOfItsEchoesIsClosedAsStalled) {
  context_.settings.timeouts = {.idle = 0s, .stalled_write = 10s};
  connect_echoed("hello");
  kernel_.set_unacknowledged(kFd, 5);
  sweep_after(1ms);
  sweep_after(10s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, TheFinOfAPeerThatTakesNothingIsNoProgress) {
  context_.settings.timeouts = {.idle = 0s, .stalled_write = 10s};
  connect_echoed("hello");
  kernel_.set_unacknowledged(kFd, 5);
  sweep_after(1ms);
  sweep_after(9s);
  half_close();
  kernel_.set_unacknowledged(kFd, 6);  // Our FIN counts as one.
  sweep_after(1s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingOfItsEchoesIsIdleIfThatTimeIsShorter) {
  context_.settings.timeouts = {.idle = 5s, .stalled_write = 10s};
  connect_echoed("hello");
  kernel_.set_unacknowledged(kFd, 5);
  sweep_after(1ms);
  sweep_after(5s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1);
}

TEST_F(ConnectionTimeoutTest, AnEchoAfterAllWasAcknowledgedIsAskedAboutAgain) {
  context_.settings.timeouts = {.idle = 0s, .stalled_write = 10s};
  connect_echoed("hello");
  sweep_after(1s);
  pass(1h);
  echo("hello");
  kernel_.set_unacknowledged(kFd, 5);
  sweep_after(1ms);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10s + 10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, AConnectionAtRestCostsNoSystemCall) {
  connect(kFd);
  sweep_after(1s);
  EXPECT_EQ(kernel_.count(Call::ioctl), 0U);
  echo("hello");
  sweep_after(1s);
  EXPECT_EQ(kernel_.count(Call::ioctl), 1U);
  sweep_after(1s);
  sweep_after(1s);
  EXPECT_EQ(kernel_.count(Call::ioctl), 1U);
}

// SIGSTOP, a paused machine: the bytes are here, the loop has not been told of them yet.
TEST_F(ConnectionTimeoutTest, AnIdleConnectionWithUnreadBytesIsGivenATurnInsteadOfClosed) {
  connect(kFd);
  pass(61s);
  kernel_.set_unread(kFd, 5);
  visit_all(context_.table, [](Connection& connection) { connection.check_timeouts(); });
  EXPECT_EQ(closed_in_all(), 0U);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  kernel_.set_unread(kFd, 0);
  sweep_after(0s);  // All acknowledged.
  sweep_after(60s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, ZeroSwitchesThemOff) {
  context_.settings.timeouts.idle = 0s;
  context_.settings.timeouts.stalled_write = 0s;
  connect(kFd);
  connect_owing(kOther);
  kernel_.set_unacknowledged(kOther, 2);
  sweep_after(24h);
  sweep_after(24h);
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTimeoutTest, SurviveTheWrapOfTheirTicksAfter497Days) {
  kernel_.advance(497 * 24h + 2h);  // A little before 2^32 centiseconds.
  pass(26min);
  connect(kFd);
  sweep_after(59s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(2s);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

// An orphan of the kernel's would keep all that.
TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingIsReset) {
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  kernel_.expect_epoll_wait({});
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_LINGER, 1);
  kernel_.expect_close(kFd);
  kernel_.advance(10s + 10ms);
  loop_.run_once();
  visit_all(context_.table, [](Connection& connection) { connection.check_timeouts(); });
  kernel_.verify();
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, AConnectionThatKeepsBytesIsReset) {
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 0);
  sweep_after(1ms);
  sweep_after(10s + 10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingIsClosedAsStalled) {
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  sweep_after(10s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

TEST_F(ConnectionTimeoutTest, APeerThatAcknowledgesBytesMakesProgressThoughNoOutCame) {
  connect_owing(kFd);
  for (int unacknowledged = 100; unacknowledged > 0; unacknowledged -= 10) {
    kernel_.set_unacknowledged(kFd, unacknowledged);
    sweep_after(9s);
  }
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10s + 10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, APartialFlushIsProgress) {
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(8s);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo", 1);
  iterate();
  sweep_after(9s);
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingWhileFlushingIsResetAfterTheIdleTimeToo) {
  context_.settings.timeouts.stalled_write = 0s;
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  sweep_after(60s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingOfTheTailIsResetAfterTheIdleTimeToo) {
  context_.settings.timeouts.stalled_write = 0s;
  connect_delivering();
  sweep_after(1ms);
  sweep_after(60s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1);
}

TEST_F(ConnectionTimeoutTest, AFlushThatEndsStartsTheIdleTimeAnew) {
  context_.settings.timeouts.idle = 1s;
  connect_owing(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  pass(5s);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
  sweep_after(0s);
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTimeoutTest, AFlushWithoutABlockThatEndsStartsTheIdleTimeAnew) {
  context_.settings.timeouts.idle = 1s;
  set_buffers(kBlockBytes, 0);
  connect(kFd);
  kernel_.set_unacknowledged(kFd, 100);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 2);
  kernel_.expect_discard(kFd, 2, 2);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  sweep_after(1ms);
  kernel_.advance(5s);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_modify(kFd, kReading);
  iterate();
  sweep_after(0s);  // Before the turn that IN brings.
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTimeoutTest, APeerThatDoesNotAcknowledgeTheTailIsClosedAsStalled) {
  connect_delivering();
  sweep_after(1ms);
  sweep_after(9s);
  kernel_.set_unacknowledged(kFd, 3);
  sweep_after(1s);  // Progress.
  sweep_after(10s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatDoesNotSendItsFinIsClosedWhenTheLingerTimeIsOver) {
  connect_lingering();
  sweep_after(1ms);
  sweep_after(2s - 10ms);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(20ms);
  EXPECT_EQ(closed(CloseReason::linger_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatSendsOnIsNotKeptByThatWhileLingering) {
  connect_lingering();
  sweep_after(1ms);
  for (int i = 0; i < 2; ++i) {
    pass(1s);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_discard(kFd, 1000);
    kernel_.expect_discard_error(kFd, EAGAIN);
    iterate();
  }
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::linger_timeout), 1U);
  EXPECT_EQ(count(Counter::bytes_discarded), 2000U);
}

// The tail is the peer's, however long it takes for it; the linger time is for its FIN alone.
TEST_F(ConnectionTimeoutTest, APeerThatTakesItsTailIsGivenTheLingerTimeFromTheEndOfTheTail) {
  connect_lingering();
  for (int unacknowledged = 100; unacknowledged >= 0; unacknowledged -= 10) {
    kernel_.set_unacknowledged(kFd, unacknowledged);
    sweep_after(9s);
  }
  sweep_after(2s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::linger_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingOfItsTailWhileLingeringIsClosedAsStalled) {
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  sweep_after(10s);
  EXPECT_EQ(closed_in_all(), 0U);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::stalled_write), 1U);
}

TEST_F(ConnectionTimeoutTest, APeerThatTakesNothingWhileLingeringIsResetAfterTheIdleTimeToo) {
  context_.settings.timeouts.stalled_write = 0s;
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  sweep_after(60s + 10ms);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, WithoutTimeoutsTheDrainDeadlineAloneEndsATail) {
  context_.settings.timeouts.stalled_write = 0s;
  context_.settings.timeouts.idle = 0s;
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 100);
  sweep_after(1ms);
  sweep_after(24h);
  EXPECT_EQ(closed_in_all(), 0U);
}

TEST_F(ConnectionTimeoutTest, ALingerTimeOfZeroWaitsForTheTailAndNoLonger) {
  context_.settings.timeouts.linger = 0s;
  connect_lingering();
  kernel_.set_unacknowledged(kFd, 1);
  sweep_after(1s);
  EXPECT_EQ(closed_in_all(), 0U);
  kernel_.set_unacknowledged(kFd, 0);
  sweep_after(1s);
  sweep_after(10ms);
  EXPECT_EQ(closed(CloseReason::linger_timeout), 1U);
}

TEST_F(ConnectionTimeoutTest, OfAClosedConnectionDoNothing) {
  Connection& connection = connect(kFd);
  connection.abort(CloseReason::forced);
  connection.check_timeouts();
  EXPECT_EQ(closed_in_all(), 1U);
  EXPECT_EQ(kernel_.count(Call::close), 1U);
}

}  // namespace
}  // namespace echod::test
