#include "loop/timer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "allocations.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class TimerTest : public testing::Test {
 protected:
  static constexpr sys::TimePoint kStart{1000s};

  Timers timers_;
  std::string journal_;
  Timer a_{timers_, [this] { journal_ += 'a'; }};
  Timer b_{timers_, [this] { journal_ += 'b'; }};
  Timer c_{timers_, [this] { journal_ += 'c'; }};
};

TEST_F(TimerTest, RunsOnceWhenItIsDueAndNeverEarly) {
  a_.expire_at(kStart + 5s);
  EXPECT_TRUE(a_.is_running());
  timers_.run_due(kStart + 5s - 1ns);
  EXPECT_EQ(journal_, "");
  timers_.run_due(kStart + 5s);
  EXPECT_EQ(journal_, "a");
  EXPECT_FALSE(a_.is_running());
  timers_.run_due(kStart + 10s);
  EXPECT_EQ(journal_, "a");
}

TEST_F(TimerTest, TimersRunInTheOrderOfTheirDeadlinesAndThenOfTheirStarts) {
  c_.expire_at(kStart + 3s);
  a_.expire_at(kStart + 1s);
  b_.expire_at(kStart + 1s);
  EXPECT_EQ(timers_.next_deadline(), kStart + 1s);
  timers_.run_due(kStart + 3s);
  EXPECT_EQ(journal_, "abc");
  EXPECT_TRUE(timers_.empty());
}

TEST_F(TimerTest, DoesNotRunIfItIsCancelled) {
  a_.expire_at(kStart);
  b_.expire_at(kStart);
  a_.cancel();
  a_.cancel();
  timers_.run_due(kStart);
  EXPECT_EQ(journal_, "b");
}

TEST_F(TimerTest, RunsOnlyAtTheNewTimeAfterARestart) {
  a_.expire_at(kStart + 1s);
  a_.expire_at(kStart + 2s);
  timers_.run_due(kStart + 1s);
  EXPECT_EQ(journal_, "");
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "a");
}

TEST_F(TimerTest, KeepsTheEarlierOfTwoTimesIfAsked) {
  a_.expire_at_latest(kStart + 5s);
  a_.expire_at_latest(kStart + 7s);
  EXPECT_EQ(timers_.next_deadline(), kStart + 5s);
  a_.expire_at_latest(kStart + 3s);
  EXPECT_EQ(timers_.next_deadline(), kStart + 3s);
}

TEST_F(TimerTest, DoesNotRunAfterItsDestruction) {
  {
    Timer mortal(timers_, [this] { journal_ += 'm'; });
    mortal.expire_at(kStart);
    EXPECT_FALSE(timers_.empty());
  }
  EXPECT_TRUE(timers_.empty());
  timers_.run_due(kStart);
  EXPECT_EQ(journal_, "");
}

TEST_F(TimerTest, WaitsForTheNextCallIfItRestartsItself) {
  std::unique_ptr<Timer> periodic;
  periodic = std::make_unique<Timer>(timers_, [&] {
    journal_ += 'p';
    periodic->expire_at(kStart);
  });
  periodic->expire_at(kStart);
  timers_.run_due(kStart);
  EXPECT_EQ(journal_, "p");
  EXPECT_TRUE(periodic->is_running());
  timers_.run_due(kStart);
  EXPECT_EQ(journal_, "pp");
}

TEST_F(TimerTest, DoesNotStarveOthersIfItRestartsItself) {
  std::unique_ptr<Timer> periodic;
  periodic = std::make_unique<Timer>(timers_, [&] {
    journal_ += 'p';
    periodic->expire_at(kStart);
  });
  periodic->expire_at(kStart);
  a_.expire_at(kStart + 1s);
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "pa");
}

TEST_F(TimerTest, WaitsForTheNextCallIfAnotherExpiryRestartsIt) {
  Timer first(timers_, [this] {
    journal_ += 'f';
    a_.expire_at(kStart);
    b_.expire_at(kStart);
  });
  first.expire_at(kStart);
  a_.expire_at(kStart + 1s);
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "f");
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "fab");
}

TEST_F(TimerTest, AnExpiryMayDestroyAnotherDueTimer) {
  auto mortal = std::make_unique<Timer>(timers_, [this] { journal_ += 'm'; });
  Timer first(timers_, [&] {
    journal_ += 'f';
    mortal.reset();
  });
  first.expire_at(kStart);
  mortal->expire_at(kStart + 1s);
  b_.expire_at(kStart + 2s);
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "fb");
}

TEST_F(TimerTest, StartingAndRunningAllocatesNothing) {
  journal_.reserve(10);
  const std::uint64_t before = allocations();
  for (Timer* const timer : {&a_, &b_, &c_}) {
    timer->expire_at(kStart);
  }
  timers_.run_due(kStart);
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(journal_, "abc");
}

TEST_F(TimerTest, AnExpiryMayCancelAnotherDueTimer) {
  Timer first(timers_, [this] {
    journal_ += 'f';
    a_.cancel();
  });
  first.expire_at(kStart);
  a_.expire_at(kStart + 1s);
  b_.expire_at(kStart + 2s);
  timers_.run_due(kStart + 2s);
  EXPECT_EQ(journal_, "fb");
}

}  // namespace
}  // namespace echod::test
