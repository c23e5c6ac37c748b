#include "loop/busy_poll.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace echod::test {
namespace {

using namespace std::chrono_literals;

// The number of sleeps before the next spin.
unsigned sleeps_until_spin(BusyPoll& poll) {
  unsigned sleeps = 0;
  while (!poll.should_spin()) {
    ++sleeps;
  }
  return sleeps;
}

TEST(BusyPollTest, NeverSpinsWithoutATime) {
  BusyPoll poll;
  for (int i = 0; i < 200; ++i) {
    EXPECT_FALSE(poll.should_spin());
  }
}

TEST(BusyPollTest, SpinsBeforeEachSleepWhileSpinsFindSomething) {
  BusyPoll poll;
  poll.set_time(50us);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(poll.should_spin());
    poll.found_something();
  }
}

TEST(BusyPollTest, SpinsMoreRarelyWhileSpinsFindNothing) {
  BusyPoll poll;
  poll.set_time(50us);
  std::vector<unsigned> skips;
  for (int i = 0; i < 10; ++i) {
    skips.push_back(sleeps_until_spin(poll));
    poll.found_nothing();
  }
  EXPECT_EQ(skips, (std::vector<unsigned>{0, 1, 2, 4, 8, 16, 32, 64, 64, 64}));
}

TEST(BusyPollTest, SpinsBeforeEachSleepAgainOnceASpinFoundSomething) {
  BusyPoll poll;
  poll.set_time(50us);
  for (int i = 0; i < 10; ++i) {
    (void)sleeps_until_spin(poll);
    poll.found_nothing();
  }
  (void)sleeps_until_spin(poll);
  poll.found_something();
  EXPECT_TRUE(poll.should_spin());
  poll.found_nothing();
  EXPECT_EQ(sleeps_until_spin(poll), 1U);
}

TEST(BusyPollTest, StartsOverWhenTheTimeIsSet) {
  BusyPoll poll;
  poll.set_time(50us);
  poll.found_nothing();
  poll.set_time(20us);
  EXPECT_TRUE(poll.should_spin());
}

}  // namespace
}  // namespace echod::test
