// Descriptors or memory are used up.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>

#include "acceptor_fixture.hpp"
#include "admission/acceptor.hpp"
#include "allocations.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class AcceptShortageTest : public AcceptorTest, public testing::WithParamInterface<int> {
 protected:
  void run_short() {
    expect_edge();
    kernel_.expect_accept(kListener, kFirst);
    kernel_.expect_accept_error(kListener, GetParam());
    iterate();
    EXPECT_EQ(count(Counter::paused_resources), 1U);
  }
};

TEST_P(AcceptShortageTest, PausesAndTriesAgainByTheClock) {
  run_short();
  EXPECT_TRUE(has_logged("error cannot accept on 192.0.2.9:2003: "));
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  kernel_.expect_accept(kListener, kFirst + 1);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accepted), 2U);
  expect_rest();
}

TEST_P(AcceptShortageTest, DoesNotSpinAndTellsTheOperatorOnce) {
  run_short();
  for (int tries = 0; tries < 8; ++tries) {
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    expect_no_wait();
    kernel_.expect_accept_error(kListener, GetParam());
    iterate();
  }
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  EXPECT_EQ(log().find("cannot accept"), log().rfind("cannot accept"));
}

TEST_P(AcceptShortageTest, TellsTheOperatorWhenNoClientWaitsAnyMore) {
  run_short();
  kernel_.advance(1min);
  expect_edge();
  kernel_.expect_accept(kListener, kFirst + 1);
  kernel_.expect_accept_error(kListener, GetParam());
  iterate();
  EXPECT_FALSE(has_logged("accepting again")) << "one was accepted, others wait";
  kernel_.advance(1min);
  expect_edge();
  kernel_.expect_accept(kListener, kFirst + 2);
  expect_empty_queue();
  iterate();
  EXPECT_TRUE(has_logged("info accepting again: 3 connections, no client is waiting"));
}

// Edges are no reason to wait: what was short may have been freed by another worker.
TEST_P(AcceptShortageTest, TriesOnceForEachEdge) {
  run_short();
  for (int edges = 0; edges < 3; ++edges) {
    expect_edge();
    kernel_.expect_accept_error(kListener, GetParam());
    iterate();
  }
  expect_edge();
  kernel_.expect_accept(kListener, kFirst + 1);
  expect_empty_queue();
  iterate();
}

TEST_P(AcceptShortageTest, AcceptsAtOnceWhenAConnectionEnds) {
  run_short();
  expect_end_of(kFirst);
  iterate();
  expect_no_wait();
  kernel_.expect_accept(kListener, kFirst);
  expect_empty_queue();
  iterate();
  EXPECT_EQ(count(Counter::accepted), 2U);
}

INSTANTIATE_TEST_SUITE_P(Each, AcceptShortageTest,
                         testing::Values(EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, ETIMEDOUT),
                         [](const auto& tested) { return strerrorname_np(tested.param); });

// The worker itself has no memory for one more connection.

class AcceptWithoutMemoryTest : public AcceptorTest {
 protected:
  static constexpr int kWakeUp = 1001;  // The loop's second descriptor.

  void have_no_memory_for_an_edge() {
    expect_edge();
    const AllocationFailure no_chunks(4096);
    iterate();
  }
  // In an iteration without events, from the end of its wait on.
  void have_no_memory_at_all() {
    std::optional<AllocationFailure> no_memory;
    kernel_.expect_epoll_wait({}, 0).then([&no_memory] { no_memory.emplace(); });
    loop_.run_once();
  }
};

TEST_F(AcceptWithoutMemoryTest, AcceptsNobodyAndTriesAgain) {
  have_no_memory_for_an_edge();
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  EXPECT_TRUE(has_logged("Cannot allocate memory"));
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  kernel_.expect_accept(kListener, kFirst);
  expect_empty_queue();
  iterate();
}

TEST_F(AcceptWithoutMemoryTest, NoneToRegisterAConnectionIsNoneAtAll) {
  // With the socket and the wake-up, all slots of the loop's first allocation.
  constexpr int kCrowd = 62;
  shared_.admission.set_max_connections(100);
  acceptor_.set_accepts_in_a_turn(kCrowd);
  expect_edge();
  expect_accepts(kFirst, kFirst + kCrowd - 1);
  iterate();
  const std::size_t accepts = kernel_.count(Call::accept4);
  have_no_memory_at_all();
  EXPECT_EQ(kernel_.count(Call::accept4), accepts);
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  EXPECT_EQ(count(Counter::register_failures), 0U);
}

TEST_F(AcceptWithoutMemoryTest, WithoutAnyMemoryAtAllItPausesToo) {
  acceptor_.poll_again();
  have_no_memory_at_all();
  EXPECT_EQ(count(Counter::paused_resources), 1U);
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  expect_empty_queue();
  iterate();
  expect_rest();
}

// The edge was this worker's alone (EPOLLEXCLUSIVE): another one learns of the client from it.
TEST_F(AcceptWithoutMemoryTest, CallsAWorkerThatHasMemory) {
  int called = 0;
  Notifier on_called(loop_, [&called] { ++called; });
  shared_.admission.add_worker(1, on_called);
  have_no_memory_for_an_edge();
  kernel_.expect_epoll_wait({{kWakeUp, EPOLLIN}});
  iterate();
  EXPECT_EQ(called, 1);
  shared_.admission.remove_worker(1);
}

TEST_F(AcceptWithoutMemoryTest, IsNoPauseWhenNoClientWaits) {
  kernel_.set_ready(kListener, false);
  have_no_memory_for_an_edge();
  EXPECT_EQ(count(Counter::paused_resources), 0U);
}

// Many clients wait, this worker has no memory, and the other has 4 free places: it is called, and
// fills them. Then each of its connections that ends admits a client at once.
TEST_F(AcceptWithoutMemoryTest, FreePlacesOfAnotherWorkerAreTakenAndThoseThatEndsMake) {
  constexpr int kOtherListener = kListener + 1;  // Stands for the same queue.
  constexpr int kOtherWakeUp = 1003;
  constexpr int kPlaces = 64;
  shared_.admission.set_max_connections(1000);
  EventLoop other_loop;
  EchoContext other(other_loop, context_.settings, logger_, shared_.line_limits,
                    shared_.pinned_rounds, {shared_.admission, 1});
  Acceptor other_acceptor(other.acceptor_context(), other.settings.turn_accepts, [](int) {});
  other_acceptor.add(listening_on(kOtherListener));
  for (int place = 0; place < kPlaces - 4; ++place) {
    ASSERT_TRUE(other.reserve());
    (void)other.table.create(other, 0, sys::UniqueFd(), peer_);
  }
  const auto iterate_other = [&] {
    other_loop.run_once();
    if (other.table.destroy_retired()) {
      other_acceptor.on_connections_ended();
    }
    kernel_.verify();
  };
  have_no_memory_for_an_edge();
  const AllocationFailure no_chunks(4096);
  kernel_.expect_epoll_wait({{kOtherWakeUp, EPOLLIN}});
  for (int fd = kFirst; fd < kFirst + 4; ++fd) {
    kernel_.expect_accept(kOtherListener, fd);
  }
  iterate_other();
  expect_no_wait();
  iterate_other();
  EXPECT_EQ(other.counters.get(Counter::paused_resources), 1U);
  for (int fd = kFirst; fd < kFirst + 4; ++fd) {
    expect_end_of(fd);
    iterate_other();
    expect_no_wait();
    kernel_.expect_accept(kOtherListener, fd);
    iterate_other();
  }
  EXPECT_EQ(other.counters.get(Counter::accepted), 8U);
}

TEST_F(AcceptWithoutMemoryTest, IsNotCalledUntilItHasMemory) {
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), 0U);
  have_no_memory_for_an_edge();
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), std::nullopt);
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  expect_no_wait();
  expect_empty_queue();
  iterate();
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), 0U);
}

TEST_F(AcceptWithoutMemoryTest, HasItAgainWhenAConnectionEnds) {
  connect(kFd);
  shared_.admission.set_can_accept(0, false);
  expect_end_of(kFd);
  iterate();
  EXPECT_EQ(shared_.admission.least_loaded_except(1, loop_.now()), 0U);
}

}  // namespace
}  // namespace echod::test
