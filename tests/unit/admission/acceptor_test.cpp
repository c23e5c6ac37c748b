#include "admission/acceptor.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>

#include "acceptor_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

TEST_F(AcceptorTest, RegistersASocketForReadingByEdgesThatWakeOneWorker) {
  EXPECT_EQ(kernel_.registration(kListener)->mask, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET);
}

TEST_F(AcceptorTest, SaysThatASocketCannotBeRegistered) {
  kernel_.expect_add(kListener + 1, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET, ENOSPC);
  try {
    acceptor_.add(listening_on(kListener + 1));
    FAIL() << "it was added";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), ENOSPC);
  }
}

TEST_F(AcceptorTest, AcceptsToEagainWithOneCallForEachConnection) {
  expect_edge();
  expect_accepts(kFirst, kFirst + 2);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accepted), 3U);
  EXPECT_EQ(shared_.admission.connections(), 3U);
  EXPECT_EQ(shared_.admission.connections_of(0), 3U);
  EXPECT_EQ(context_.table.size(), 3U);
  EXPECT_EQ(kernel_.count(Call::setsockopt), 0U);
  expect_rest();
}

TEST_F(AcceptorTest, LogsThePeerThatAcceptGave) {
  expect_edge();
  kernel_.expect_accept(kListener, kFirst, "2001:db8::1", 4711);
  expect_empty_queue();
  iterate();
  EXPECT_TRUE(has_logged("debug open peer=[2001:db8::1]:4711 fd=10"));
}

TEST_F(AcceptorTest, GoesOnWithoutAnEdgeWhenItsBudgetIsSpent) {
  shared_.admission.set_max_connections(100);
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);  // turn_accepts is 4.
  iterate();
  expect_no_wait();
  expect_accepts(kFirst + 4, kFirst + 4);
  expect_empty_queue();
  iterate();
  expect_rest();
}

TEST_F(AcceptorTest, GivesConnectionsTheirTurnsWhenItsBudgetIsSpent) {
  shared_.admission.set_max_connections(100);
  expect_edge();
  expect_accepts(kFirst, kFirst + 3);
  iterate();
  kernel_.expect_epoll_wait({{kFirst, EPOLLIN}}, 0);
  kernel_.expect_recv(kFirst, "hello");
  kernel_.expect_send(kFirst, "hello");
  expect_empty_queue();
  iterate();
}

TEST_F(AcceptorTest, AConnectionThatEpollRefusesDoesNotHoldUpTheNext) {
  expect_edge();
  kernel_.expect_accept(kListener, kFirst);
  kernel_.expect_add(kFirst, kReading, ENOSPC);
  kernel_.expect_close(kFirst);
  kernel_.expect_accept(kListener, kFirst);
  kernel_.expect_add(kFirst, kReading);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(shared_.admission.connections(), 1U);
  EXPECT_EQ(count(Counter::register_failures), 1U);
}

// The daemon is full.

class FullAcceptorTest : public AcceptorTest {
 protected:
  void fill() {
    for (int fd = kFirst; fd < kFirst + 4; ++fd) {  // max_connections is 4.
      connect(fd);
    }
  }
  void find_it_full() {
    expect_edge();
    iterate();
  }
  // The next iteration accepts again.
  void find_it_full_until_a_connection_ends() {
    fill();
    find_it_full();
    expect_end_of(kFirst);
    iterate();
    expect_no_wait();
  }
};

TEST_F(FullAcceptorTest, LeavesClientsInTheQueueAndTellsTheOperator) {
  fill();
  find_it_full();
  EXPECT_EQ(count(Counter::paused_full), 1U);
  EXPECT_TRUE(has_logged("warning full on 192.0.2.9:2003: the limit of 4 connections "));
  find_it_full();
  EXPECT_EQ(count(Counter::paused_full), 1U);
  EXPECT_EQ(kernel_.count(Call::accept4), 0U);
  expect_rest();
}

TEST_F(FullAcceptorTest, AcceptsAtOnceWhenAConnectionEnds) {
  find_it_full_until_a_connection_ends();
  kernel_.expect_accept(kListener, kFirst);
  iterate();
  EXPECT_EQ(count(Counter::accepted), 1U);
  EXPECT_EQ(count(Counter::paused_full), 2U);
  EXPECT_EQ(shared_.admission.connections(), 4U);
  expect_rest();
}

TEST_F(FullAcceptorTest, AShortageThatFollowsIsCountedToo) {
  find_it_full_until_a_connection_ends();
  kernel_.expect_accept_error(kListener, EMFILE);
  iterate();
  EXPECT_EQ(count(Counter::paused_full), 1U);
  EXPECT_EQ(count(Counter::paused_resources), 1U);
}

TEST_F(FullAcceptorTest, DoesNotLookIntoTheQueueWhenAConnectionEndsAndNoClientWaits) {
  fill();
  expect_end_of(kFirst);
  iterate();
  expect_rest();
}

TEST_F(FullAcceptorTest, AcceptsForARoomThatAnotherWorkerWishedFor) {
  fill();
  shared_.admission.note_waiting_clients();  // Of the other worker.
  expect_end_of(kFirst);
  iterate();
  expect_no_wait();
  kernel_.expect_accept(kListener, kFirst);
  iterate();
}

// While this worker tries to accept, it has taken the last room: another one finds the daemon full.
TEST_F(FullAcceptorTest, LooksAgainWhenItFindsNobodyAndAnotherWorkerFoundTheDaemonFullMeanwhile) {
  connect(kFirst);
  connect(kFirst + 1);
  connect(kFirst + 2);
  expect_edge();
  kernel_.expect_accept_error(kListener, EAGAIN).then([this] {
    EXPECT_TRUE(shared_.admission.is_full());
    shared_.admission.note_waiting_clients();
  });
  kernel_.expect_accept(kListener, kFirst + 3);
  kernel_.expect_add(kFirst + 3, kReading);
  iterate();
}

// Two listening sockets.

class TwoSocketsTest : public FullAcceptorTest {
 protected:
  static constexpr int kSecond = kListener + 1;

  TwoSocketsTest() { acceptor_.add(listening_on(kSecond)); }

  void end_one() {
    expect_end_of(kFirst);
    iterate();
  }
  // In the next iteration the socket `listener` gets the room that there is.
  void expect_turn_of(int listener) {
    expect_no_wait();
    kernel_.expect_accept(listener, kFirst);
    iterate();
  }
};

TEST_F(TwoSocketsTest, AreServedByTurns) {
  shared_.admission.set_max_connections(100);
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}});
  kernel_.expect_accept(kListener, kFirst);
  kernel_.expect_accept(kSecond, kFirst + 1);
  kernel_.expect_accept_error(kListener, EAGAIN);
  kernel_.expect_accept_error(kSecond, EAGAIN);
  iterate();
}

TEST_F(TwoSocketsTest, TakeTurnsAtTheRoomThatIsMade) {
  fill();
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}, {kSecond, EPOLLIN}});
  iterate();
  end_one();
  for (int i = 0; i < 3; ++i) {
    expect_turn_of(kListener);
    end_one();
    expect_turn_of(kSecond);
    end_one();
  }
}

TEST_F(TwoSocketsTest, OneThatIsNeverEmptyDoesNotKeepTheOtherOut) {
  fill();
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}, {kSecond, EPOLLIN}});
  iterate();
  end_one();
  expect_turn_of(kListener);
  end_one();
  // An edge of the first comes before the acceptor has looked.
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}});
  kernel_.expect_accept(kSecond, kFirst);
  iterate();
}

TEST_F(TwoSocketsTest, OneWithoutClientsLeavesTheRoomToTheOther) {
  fill();
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}, {kSecond, EPOLLIN}});
  iterate();
  end_one();
  expect_no_wait();
  expect_empty_queue();
  kernel_.expect_accept(kSecond, kFirst);
  iterate();
}

// Another worker has fewer connections.

class SharingAcceptorTest : public AcceptorTest {
 protected:
  static constexpr int kWakeUp = 1001;  // The loop's second descriptor.

  SharingAcceptorTest() {
    shared_.admission.set_max_connections(1000);
    shared_.admission.add_worker(1, on_wake_);
    connect(kFirst);  // One connection here, none there.
  }
  ~SharingAcceptorTest() override { shared_.admission.remove_worker(1); }

  void expect_call_for_an_edge() {
    expect_edge();
    iterate();
    kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}});
    iterate();
  }
  void come() { shared_.admission.answer_wake(1); }

  int called_ = 0;
  Notifier on_wake_{loop_, [this] { ++called_; }};  // As the other worker's, but in this thread.
};

TEST_F(SharingAcceptorTest, LeavesTheClientInTheQueueAndCallsThatWorker) {
  expect_call_for_an_edge();
  EXPECT_EQ(called_, 1);
  EXPECT_EQ(count(Counter::accepts_declined), 1U);
  EXPECT_EQ(count(Counter::accepted), 0U);
  EXPECT_EQ(kernel_.count(Call::accept4), 0U);
}

TEST_F(SharingAcceptorTest, CallsNobodyWhenTheDaemonIsFull) {
  shared_.admission.set_max_connections(1);
  expect_edge();
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::accepts_declined), 0U);
  EXPECT_EQ(count(Counter::paused_full), 1U);
}

TEST_F(SharingAcceptorTest, CallsNobodyForAnEmptyQueue) {
  kernel_.set_ready(kListener, false);
  expect_edge();
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::accepts_declined), 0U);
}

TEST_F(SharingAcceptorTest, LeavesItThereWhenThatWorkerHasCome) {
  expect_call_for_an_edge();
  come();
  kernel_.expect_epoll_wait_timeout(100);
  iterate();
  expect_rest();
  EXPECT_EQ(kernel_.count(Call::accept4), 0U);
}

TEST_F(SharingAcceptorTest, AcceptsItselfWhenThatWorkerHasNotComeIn100Ms) {
  expect_call_for_an_edge();
  kernel_.expect_epoll_wait_timeout(100);
  iterate();
  kernel_.advance(1ns);  // Over, not just up.
  expect_no_wait();
  expect_accepts(kFirst + 1, kFirst + 1);
  expect_empty_queue();
  iterate();
}

TEST_F(SharingAcceptorTest, DoesNotWaitForAWorkerThatIsLateUntilItHasCome) {
  (void)shared_.admission.wake(1);
  kernel_.advance(Admission::kWakeTimeout + 1ms);
  expect_edge();
  expect_accepts(kFirst + 1, kFirst + 1);
  expect_empty_queue();
  iterate();
  come();
  expect_edge();
  iterate();
  EXPECT_EQ(count(Counter::accepts_declined), 1U);
}

// A turn of 150 ms here takes nothing from the time that the other worker has.
TEST_F(SharingAcceptorTest, MeasuresPatienceFromTheMomentOfTheCall) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kListener, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello").then([this] { kernel_.advance(150ms); });
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(count(Counter::accepts_declined), 1U);
  kernel_.advance(90ms);
  kernel_.expect_epoll_wait({{kListener, EPOLLIN}});
  iterate();
  EXPECT_EQ(count(Counter::accepts_declined), 2U) << "it was taken for late";
}

TEST_F(SharingAcceptorTest, LooksWhenItIsCalledItself) {
  shared_.admission.remove_worker(1);
  EXPECT_EQ(shared_.admission.wake(0), loop_.now());
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}});
  expect_accepts(kFirst + 1, kFirst + 1);
  expect_empty_queue();
  iterate();
  EXPECT_TRUE(shared_.admission.has_answered(0, loop_.now()));
}

// Errors of accept4(2).

class AcceptRetryTest : public AcceptorTest, public testing::WithParamInterface<int> {};

TEST_P(AcceptRetryTest, GoesOnWithTheNextConnection) {
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
INSTANTIATE_TEST_SUITE_P(Each, AcceptRetryTest,
                         testing::Values(ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
                                         EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, ECONNABORTED),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

TEST_F(AcceptorTest, ErrorsOfAcceptCountAgainstTheBudget) {
  expect_edge();
  for (int i = 0; i < 4; ++i) {
    kernel_.expect_accept_error(kListener, ECONNABORTED);
  }
  iterate();
  expect_no_wait();
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accept_errors), 4U);
  EXPECT_EQ(log().find("was lost before"), log().rfind("was lost before"));
}

class AcceptFatalTest : public AcceptorTest, public testing::WithParamInterface<int> {};

TEST_P(AcceptFatalTest, IsReportedToTheOwnerOnce) {
  expect_edge();
  kernel_.expect_accept_error(kListener, GetParam());
  iterate();
  EXPECT_EQ(lost_, 1);
  EXPECT_TRUE(kernel_.was_closed(kListener));
  EXPECT_TRUE(has_logged("critical the listening socket 192.0.2.9:2003 failed: "));
  EXPECT_EQ(shared_.admission.connections(), 0U);
  expect_rest();
}

INSTANTIATE_TEST_SUITE_P(Each, AcceptFatalTest, testing::Values(EBADF, EFAULT, EINVAL, ENOTSOCK),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

}  // namespace
}  // namespace echod::test
