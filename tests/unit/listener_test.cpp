#include "listener.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>

#include "allocations.hpp"
#include "listener_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

TEST_F(ListenerTest, IsRegisteredForReadingByEdges) {
  EXPECT_EQ(kernel_.registration(kListener)->mask, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET);
}

TEST_F(ListenerTest, ThatCannotBeRegisteredSaysSo) {
  Listener other(context_, listening_on(kListener + 1), [](int) {});
  kernel_.expect_add(kListener + 1, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, ENOSPC);
  kernel_.expect_remove(kListener + 1, ENOENT);  // When it goes.
  try {
    other.start();
    FAIL() << "started";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
  }
}

TEST_F(ListenerTest, AcceptsToEagainWithOneCallForEachConnection) {
  expect_edge();
  expect_accepts(kFirst, kFirst + 2);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accepted), 3U);
  EXPECT_EQ(context_.admission.connections(), 3U);
  EXPECT_EQ(context_.table.size(), 3U);
  EXPECT_EQ(kernel_.count(Call::setsockopt), 0U);
  expect_rest();
}

TEST_F(ListenerTest, LogsThePeerThatAcceptGave) {
  expect_edge();
  kernel_.expect_accept(kListener, kFirst, "2001:db8::1", 4711);
  expect_empty_queue();
  iterate();
  EXPECT_TRUE(has_logged("debug open peer=[2001:db8::1]:4711 fd=10"));
}

TEST_F(ListenerTest, ThatSpentItsBudgetGoesOnWithoutAnEdge) {
  context_.admission.set_max_connections(100);
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);  // turn_accepts is 4.
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirst + 4, kFirst + 4);
  expect_empty_queue();
  iterate();
  expect_rest();
}

TEST_F(ListenerTest, ThatSpentItsBudgetGivesConnectionsTheirTurns) {
  context_.admission.set_max_connections(100);
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);
  iterate();
  kernel_.expect_epoll_wait({{kFirst, EPOLLIN}}, 0);
  expect_empty_queue();
  kernel_.expect_recv(kFirst, "hello");
  kernel_.expect_send(kFirst, "hello");
  iterate();
}

// Full.

TEST_F(ListenerTest, ThatIsFullLeavesTheOthersInTheQueueAndIgnoresNewEdges) {
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);  // max_connections is 4.
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(count(Counter::paused_full), 1U);
  EXPECT_TRUE(has_logged("warning full on 192.0.2.9:2003: 4 connections;"));
  expect_edge();
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::paused_full), 1U);
  EXPECT_EQ(kernel_.count(Call::accept4), 4U);
}

TEST_F(ListenerTest, ThatIsFullGoesOnAtOnceWhenAConnectionCloses) {
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  expect_end_of(kFirst);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept(kListener, kFirst);
  iterate();
  EXPECT_EQ(count(Counter::accepted), 5U);
  EXPECT_EQ(count(Counter::paused_full), 2U);
  EXPECT_EQ(context_.admission.connections(), 4U);
  expect_rest();
}

TEST_F(ListenerTest, ThatIsFullGoesOnWhenTheBoundIsRaised) {
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EchoSettings more = small_settings();
  more.max_connections = 5;
  context_.apply(more);
  kernel_.expect_epoll_wait({}, 0);
  expect_accepts(kFirst + 4, kFirst + 4);
  iterate();
}

TEST_F(ListenerTest, ThatGoesWhileItWaitsForRoomIsForgotten) {
  for (int fd = kFirst; fd < kFirst + 4; ++fd) {
    connect(fd);
  }
  {
    Listener other(context_, listening_on(kListener + 1), [](int) {});
    other.start();
    kernel_.expect_epoll_wait({{kListener + 1, EPOLLIN}});
    iterate();
  }
  EXPECT_TRUE(kernel_.was_closed(kListener + 1));
  expect_end_of(kFirst);
  iterate();
  expect_rest();
}

// Two of them, and room for fewer than both want.

class TwoListenersTest : public ListenerTest {
 protected:
  static constexpr int kSecond = kListener + 1;

  TwoListenersTest() { second_.start(); }

  // All room is taken, and both wait, `listener_` first.
  void fill() {
    for (int fd = kFirst; fd < kFirst + 4; ++fd) {
      connect(fd);
    }
    kernel_.expect_epoll_wait({{kListener, EPOLLIN}, {kSecond, EPOLLIN}});
    iterate();
  }
  // The first two connections end in one iteration.
  void end_two() {
    kernel_.expect_epoll_wait({{kFirst, EPOLLIN | EPOLLRDHUP}, {kFirst + 1, EPOLLIN | EPOLLRDHUP}});
    for (const int fd : {kFirst, kFirst + 1}) {
      kernel_.expect_recv_eof(fd);
      kernel_.expect_close(fd);
    }
    iterate();
  }
  void end_one() {
    expect_end_of(kFirst);
    iterate();
  }
  // In the next iteration `listener` accepts descriptors `first` to `last`, and nobody else any.
  void expect_turn_of(int listener, int first, int last) {
    kernel_.expect_epoll_wait({}, 0);
    for (int fd = first; fd <= last; ++fd) {
      kernel_.expect_accept(listener, fd);
    }
    iterate();
  }

  Listener second_{context_, listening_on(kSecond), [](int) {}};
};

TEST_F(TwoListenersTest, TakeTurnsAtTheRoomThatClosesMake) {
  fill();
  for (int i = 0; i < 3; ++i) {
    end_one();
    expect_turn_of(kListener, kFirst, kFirst);
    end_one();
    expect_turn_of(kSecond, kFirst, kFirst);
  }
  expect_rest();
}

TEST_F(TwoListenersTest, TakeTurnsThoughOneTakesAllTheRoomThatManyClosesMake) {
  fill();
  for (int i = 0; i < 3; ++i) {
    end_two();
    expect_turn_of(kListener, kFirst, kFirst + 1);
    end_two();
    expect_turn_of(kSecond, kFirst, kFirst + 1);
  }
  expect_rest();
}

TEST_F(TwoListenersTest, OneWithoutClientsPassesItsChanceOn) {
  fill();
  end_one();
  kernel_.expect_epoll_wait({}, 0);
  expect_empty_queue();
  iterate();
  expect_turn_of(kSecond, kFirst, kFirst);
  expect_rest();
  end_one();  // The first does not wait any more.
  expect_turn_of(kSecond, kFirst, kFirst);
}

TEST_F(TwoListenersTest, OneThatRunsShortPassesItsChanceOnAndTriesAgainByTheClock) {
  fill();
  end_one();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept_error(kListener, EPERM);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept_error(kSecond, EPERM);
  iterate();  // And not the other again: it would spin.
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept(kListener, kFirst);
  iterate();
}

TEST_F(TwoListenersTest, OneThatGoesPassesItsChanceOn) {
  fill();
  end_one();
  expect_empty_queue();
  listener_.begin_emptying();
  EXPECT_TRUE(listener_.is_closed());
  expect_turn_of(kSecond, kFirst, kFirst);
}

// Shortages, and whatever else is no fault of the connection that comes next.

class ListenerShortageTest : public ListenerTest, public testing::WithParamInterface<int> {
 protected:
  void run_short() {
    expect_edge();
    kernel_.expect_accept(kListener, kFirst);
    kernel_.expect_accept_error(kListener, GetParam());
    iterate();
    EXPECT_EQ(count(Counter::paused_resources), 1U);
  }
};

TEST_P(ListenerShortageTest, PausesAndTriesAgainByTheClock) {
  run_short();
  EXPECT_TRUE(has_logged("error cannot accept on 192.0.2.9:2003: "));
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept(kListener, kFirst + 1);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accepted), 2U);
  expect_rest();
}

TEST_P(ListenerShortageTest, DoesNotSpinOnNewEdgesOrOnTheClock) {
  run_short();
  for (int i = 0; i < 3; ++i) {
    expect_edge();
    iterate();
  }
  EXPECT_EQ(kernel_.count(Call::accept4), 2U);
  for (std::uint64_t retry = 2; retry < 10; ++retry) {
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_accept_error(kListener, GetParam());
    iterate();
    EXPECT_EQ(count(Counter::paused_resources), retry);
  }
  // And the operator is told once, not at every try.
  EXPECT_EQ(log().find("cannot accept"), log().rfind("cannot accept"));
}

TEST_P(ListenerShortageTest, GoesOnAtOnceWhenAConnectionCloses) {
  run_short();
  expect_end_of(kFirst);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept(kListener, kFirst);
  expect_empty_queue();
  iterate();
  expect_rest();  // The timer has been cancelled.
}

INSTANTIATE_TEST_SUITE_P(Each, ListenerShortageTest,
                         testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ETIMEDOUT),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

TEST_F(ListenerTest, WithoutMemoryForAConnectionAcceptsNobodyAndTriesAgain) {
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}});
  {
    const AllocationFailure no_chunks(4096);
    iterate();
  }
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  EXPECT_TRUE(has_logged("Cannot allocate memory"));
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_accept(kListener, kFirst);
  expect_empty_queue();
  iterate();
}

TEST_F(ListenerTest, WithoutMemoryToRegisterAConnectionAcceptsNobodyEither) {
  // With the listener and the wake-up, all slots of the loop's first allocation.
  constexpr int kCrowd = 62;
  context_.admission.set_max_connections(100);
  context_.settings.turn_accepts = kCrowd;
  expect_edge();
  expect_accepts(kFirst, kFirst + kCrowd - 1);
  iterate();
  const std::size_t accepts = kernel_.count(Call::accept4);
  {
    const AllocationFailure no_memory;
    EXPECT_EQ(listener_.on_turn(EPOLLIN), Turn::wait);
  }
  EXPECT_EQ(kernel_.count(Call::accept4), accepts);
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  EXPECT_EQ(count(Counter::register_failures), 0U);
}

TEST_F(ListenerTest, WithoutAnyMemoryAtAllPausesToo) {
  Turn turn = Turn::again;
  {
    const AllocationFailure no_memory;
    turn = listener_.on_turn(EPOLLIN);
  }
  EXPECT_EQ(turn, Turn::wait);
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_empty_queue();
  iterate();
  expect_rest();
}

// Errors.

class ListenerRetryTest : public ListenerTest, public testing::WithParamInterface<int> {};

TEST_P(ListenerRetryTest, GoesOnWithTheNextConnection) {
  expect_edge();
  kernel_.expect_accept_error(kListener, GetParam());
  kernel_.expect_accept(kListener, kFirst);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accept_errors), 1U);
  EXPECT_EQ(count(Counter::accepted), 1U);
  EXPECT_EQ(lost_, 0);
  EXPECT_TRUE(has_logged("warning a connection to 192.0.2.9:2003 was lost before it was accepted"));
  expect_rest();
}

// accept(2), "Error handling", and the one that is no network's.
INSTANTIATE_TEST_SUITE_P(Each, ListenerRetryTest,
                         testing::Values(ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
                                         EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ECONNABORTED),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

TEST_F(ListenerTest, ErrorsOfAcceptCountAgainstTheBudget) {
  expect_edge();
  for (int i = 0; i < 4; ++i) {
    kernel_.expect_accept_error(kListener, ECONNABORTED);
  }
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accept_errors), 4U);
  EXPECT_EQ(log().find("was lost before"), log().rfind("was lost before"));
}

class ListenerFatalTest : public ListenerTest, public testing::WithParamInterface<int> {};

TEST_P(ListenerFatalTest, IsReportedToTheOwnerOnce) {
  expect_edge();
  kernel_.expect_accept_error(kListener, GetParam());
  iterate();
  EXPECT_EQ(lost_, 1);
  EXPECT_TRUE(has_logged("critical the listening socket 192.0.2.9:2003 is broken: "));
  expect_rest();
}

INSTANTIATE_TEST_SUITE_P(Each, ListenerFatalTest, testing::Values(EBADF, EFAULT, EINVAL, ENOTSOCK),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

TEST_F(ListenerTest, AConnectionThatEpollRefusesDoesNotHoldUpTheNext) {
  expect_edge();
  kernel_.expect_accept(kListener, kFirst);
  kernel_.expect_add(kFirst, kReading, ENOSPC);
  kernel_.expect_close(kFirst);
  kernel_.expect_accept(kListener, kFirst);
  kernel_.expect_add(kFirst, kReading);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(context_.admission.connections(), 1U);
  EXPECT_EQ(count(Counter::register_failures), 1U);
}

}  // namespace
}  // namespace echod::test
