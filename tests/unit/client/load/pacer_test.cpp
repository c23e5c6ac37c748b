#include "client/load/pacer.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>
#include <random>
#include <system_error>
#include <vector>

#include "scripted_syscalls.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

using client::Pacer;
using client::Schedule;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using Numbers = std::vector<std::uint64_t>;

class PacerTest : public testing::Test {
 protected:
  PacerTest() {
    kernel_.expect_timerfd(kFd);
    kernel_.expect_add(kFd, EPOLLIN | EPOLLET);
    pacer_.emplace(loop_, [this](std::uint64_t number, sys::TimePoint due) {
      EXPECT_GE(sys::MonotonicClock::now(), due) << "early";
      EXPECT_EQ(due, due_of(number));
      if (has_room_) {
        called_.push_back(number);
      }
      return has_room_;
    });
    kernel_.verify();
  }

  void start(double rate_per_s, std::uint64_t end = UINT64_MAX) {
    schedule_ = Schedule(sys::MonotonicClock::now(), rate_per_s);
    pacer_->start(schedule_, end);
  }
  [[nodiscard]] sys::TimePoint due_of(std::uint64_t number) const {
    Schedule schedule = schedule_;
    schedule.skip(number);
    return schedule.due();
  }
  // One iteration for the entries of the ready list.
  void iterate() {
    kernel_.expect_epoll_wait({}, 0);
    run_once();
  }
  // The timer expires after `time`.
  void expire_after(nanoseconds time) {
    kernel_.advance(time);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    run_once();
  }
  void expect_rest() {
    kernel_.expect_epoll_wait({}, -1);
    run_once();
  }
  void run_once() {
    loop_.run_once();
    kernel_.verify();
  }
  [[nodiscard]] static Numbers up_to(std::uint64_t end) {
    Numbers numbers(end);
    std::iota(numbers.begin(), numbers.end(), 0U);
    return numbers;
  }

  ScriptedKernel kernel_;
  EventLoop loop_;
  std::optional<Pacer> pacer_;
  Schedule schedule_;
  Numbers called_;
  bool has_room_ = true;
};

TEST_F(PacerTest, BeginsAtOnceAndArmsTheTimerForTheNextMomentToTheNanosecond) {
  start(3);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_timer_set(kFd, kernel_.now() + nanoseconds(333'333'333));
  run_once();
  EXPECT_EQ(called_, up_to(1));
  kernel_.advance(nanoseconds(333'333'333));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_timer_set(kFd, due_of(2).time_since_epoch());
  run_once();
  EXPECT_EQ(called_, up_to(2));
  EXPECT_EQ(due_of(2) - due_of(0), nanoseconds(666'666'667));
}

TEST_F(PacerTest, CallsNothingBeforeItIsStarted) {
  expect_rest();
  EXPECT_TRUE(called_.empty());
}

TEST_F(PacerTest, ATimerThatExpiresEarlyIsSetAgain) {
  start(1000);
  iterate();
  kernel_.advance(nanoseconds(999'999));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_timer_set(kFd, due_of(1).time_since_epoch());
  run_once();
  EXPECT_EQ(called_, up_to(1));
  expire_after(nanoseconds(1));
  EXPECT_EQ(called_, up_to(2));
}

TEST_F(PacerTest, CatchesUpInOrderInBoundedTurns) {
  start(1000);
  iterate();
  expire_after(milliseconds(150));
  EXPECT_EQ(called_, up_to(65)) << "64 in a turn";
  iterate();
  EXPECT_EQ(called_, up_to(129));
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_timer_set(kFd, due_of(151).time_since_epoch());
  run_once();
  EXPECT_EQ(called_, up_to(151));
  expect_rest();
}

TEST_F(PacerTest, EndsBeforeMessageEnd) {
  start(1000, 3);
  iterate();
  expire_after(milliseconds(1));
  expire_after(seconds(1));
  EXPECT_EQ(called_, up_to(3));
  expect_rest();
}

TEST_F(PacerTest, EndsBeforeAMomentEvenIfLate) {
  start(1000);
  iterate();
  pacer_->end_before(due_of(3));
  EXPECT_FALSE(pacer_->has_ended());
  expire_after(seconds(1));
  EXPECT_EQ(called_, up_to(3)) << "what is due at the moment is not before it";
  EXPECT_TRUE(pacer_->has_ended());
  EXPECT_EQ(pacer_->remaining_schedule().due(), due_of(3));
  expect_rest();
}

TEST_F(PacerTest, IfRefusedItRetriesAfterAMillisecondAndSkipsNothing) {
  start(100'000);
  has_room_ = false;
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_timer_set(kFd, kernel_.now() + milliseconds(1));
  run_once();
  kernel_.advance(milliseconds(1));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_timer_set(kFd, kernel_.now() + milliseconds(1));
  run_once();
  EXPECT_TRUE(called_.empty());
  EXPECT_EQ(pacer_->remaining(), UINT64_MAX);
  has_room_ = true;
  expire_after(milliseconds(1));
  while (called_.size() < 201) {
    iterate();
  }
  EXPECT_EQ(called_, up_to(201));
}

TEST_F(PacerTest, WithNothingToDoItDoesNothing) {
  start(1000, 0);
  iterate();
  EXPECT_TRUE(called_.empty());
  EXPECT_EQ(kernel_.timer(kFd), std::nullopt);
}

TEST_F(PacerTest, AfterStopNothingIsCalled) {
  start(1000);
  iterate();
  pacer_->stop();
  expire_after(seconds(1));
  EXPECT_EQ(called_, up_to(1));
  expect_rest();
}

TEST_F(PacerTest, RestartedItBeginsWithNumberZero) {
  start(1000, 2);
  iterate();
  expire_after(milliseconds(1));
  start(1000, 2);
  iterate();
  EXPECT_EQ(called_, (Numbers{0, 1, 0}));
}

TEST_F(PacerTest, WheneverTheTimerExpiresNothingIsEarlySkippedOrOutOfOrder) {
  std::mt19937_64 random(announce_seed());
  start(100'000);
  iterate();
  for (int round = 0; round < 1000; ++round) {
    kernel_.advance(nanoseconds(static_cast<std::int64_t>(random() % 100'000)));
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    run_once();
    const std::uint64_t next = called_.size();
    ASSERT_GT(due_of(next), sys::MonotonicClock::now()) << "ten are due at most";
    ASSERT_EQ(kernel_.timer(kFd), due_of(next).time_since_epoch());
  }
  EXPECT_EQ(called_, up_to(called_.size()));
}

TEST_F(PacerTest, ThrowsIfItsTimerCannotBeRegistered) {
  kernel_.expect_timerfd(kFd + 1);
  kernel_.expect_add(kFd + 1, EPOLLIN | EPOLLET, ENOSPC);
  EXPECT_THROW(Pacer(loop_, [](std::uint64_t /*number*/, sys::TimePoint /*due*/) { return true; }),
               std::system_error);
  EXPECT_TRUE(kernel_.was_closed(kFd + 1));
}

}  // namespace
}  // namespace echod::test
