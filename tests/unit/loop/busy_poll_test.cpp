#include "loop/busy_poll.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace echod::test {
namespace {

using namespace std::chrono_literals;

// So many sleeps follow each other without a look, while looking finds nothing.
unsigned sleeps_until_due(BusyPoll& poll) {
  unsigned sleeps = 0;
  while (!poll.is_due()) {
    ++sleeps;
  }
  return sleeps;
}

TEST(BusyPollTest, IsNeverDueWithoutATime) {
  BusyPoll poll;
  for (int i = 0; i < 200; ++i) {
    EXPECT_FALSE(poll.is_due());
  }
}

TEST(BusyPollTest, IsAlwaysDueWhileItFindsSomething) {
  BusyPoll poll;
  poll.set_time(50us);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(poll.is_due());
    poll.found_something();
  }
}

TEST(BusyPollTest, IsDueEverMoreRarelyWhileItFindsNothing) {
  BusyPoll poll;
  poll.set_time(50us);
  std::vector<unsigned> pauses;
  for (int i = 0; i < 10; ++i) {
    pauses.push_back(sleeps_until_due(poll));
    poll.found_nothing();
  }
  EXPECT_EQ(pauses, (std::vector<unsigned>{0, 1, 2, 4, 8, 16, 32, 64, 64, 64}));
}

TEST(BusyPollTest, IsAlwaysDueAgainOnceItFoundSomething) {
  BusyPoll poll;
  poll.set_time(50us);
  for (int i = 0; i < 10; ++i) {
    (void)sleeps_until_due(poll);
    poll.found_nothing();
  }
  (void)sleeps_until_due(poll);
  poll.found_something();
  EXPECT_TRUE(poll.is_due());
  poll.found_nothing();
  EXPECT_EQ(sleeps_until_due(poll), 1U);
}

TEST(BusyPollTest, BeginsAnewWithANewTime) {
  BusyPoll poll;
  poll.set_time(50us);
  poll.found_nothing();
  poll.set_time(20us);
  EXPECT_TRUE(poll.is_due());
}

}  // namespace
}  // namespace echod::test
