// Who gets a connection and who is told of room, among workers without threads.
#include "roster.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>
#include <vector>

#include "allocations.hpp"
#include "event_loop.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr sys::TimePoint kStart{1000s};

using Counts = std::vector<std::uint32_t>;

class RosterTest : public testing::Test {
 protected:
  static constexpr std::size_t kWorkers = 3;
  static constexpr std::array<std::uint32_t, 2> kNone{};
  static constexpr std::array<std::uint32_t, 2> kOneOfAny{0, 1};

  RosterTest() {
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      roster_.inbox(worker).open(loop_, [] {});
    }
  }
  ~RosterTest() override {
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      roster_.inbox(worker).close();
    }
  }

  static Inbox::Connections connection() {
    Inbox::Connections one;
    one.push_back({.fd = sys::UniqueFd::adopt(eventfd(0, EFD_CLOEXEC)), .peer = {}});
    return one;
  }
  void have(std::uint32_t first, std::uint32_t second, std::uint32_t third) {
    const std::vector<std::uint32_t> wanted{first, second, third};
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      while (roster_.connections_of(worker) < wanted[worker]) {
        roster_.enter();
        roster_.keep(worker);
      }
    }
  }
  [[nodiscard]] std::vector<std::uint32_t> counts() const {
    return {roster_.connections_of(0), roster_.connections_of(1), roster_.connections_of(2)};
  }
  // `worker` accepts; whether another one gets it.
  bool accept(std::size_t worker, sys::TimePoint now = kStart) {
    EXPECT_TRUE(roster_.try_enter());
    Inbox::Connections accepted = connection();
    const bool is_handed_over = roster_.spread(worker, accepted, now);
    if (!is_handed_over) {
      roster_.keep(worker);
    }
    EXPECT_EQ(accepted.empty(), is_handed_over);
    return is_handed_over;
  }

  EventLoop loop_;
  Roster roster_{100'000, kWorkers};
};

TEST_F(RosterTest, AWorkerThatHasNoMoreThanOthersKeepsWhatItAccepts) {
  EXPECT_FALSE(accept(1));
  EXPECT_EQ(counts(), (Counts{0, 1, 0}));
}

TEST_F(RosterTest, AConnectionGoesToTheWorkerWithTheFewest) {
  have(2, 1, 0);
  EXPECT_TRUE(accept(0));
  EXPECT_EQ(counts(), (Counts{2, 1, 1}));
  EXPECT_EQ(roster_.inbox(2).take().connections.size(), 1U);
  EXPECT_EQ(roster_.connections(), 4U);
}

TEST_F(RosterTest, OneWorkerThatAcceptsThemAllSpreadsThemEvenly) {
  for (int i = 0; i < 30; ++i) {
    (void)accept(1);
  }
  EXPECT_EQ(counts(), (Counts{10, 10, 10}));
}

TEST_F(RosterTest, ManyNeedNotBeSpreadExactly) {
  have(1000, 1000, 1000);
  for (int i = 0; i < 62; ++i) {
    EXPECT_FALSE(accept(0)) << i;
  }
  int handed_over = 0;
  for (int i = 0; i < 3000; ++i) {
    handed_over += accept(0) ? 1 : 0;
    for (std::size_t worker = 1; worker < kWorkers; ++worker) {
      roster_.inbox(worker).take().connections.clear();  // Or they would all be open at once.
    }
  }
  EXPECT_GT(handed_over, 0);
  const double mean = roster_.connections() / 3.0;
  EXPECT_LE(roster_.connections_of(0), 1.1 * mean);
}

TEST_F(RosterTest, AWorkerThatDoesNotLookIntoItsInboxLosesWhatIsThereToThoseWhoDo) {
  have(5, 0, 5);
  EXPECT_TRUE(accept(0));
  EXPECT_TRUE(accept(0, kStart + Inbox::kPatience));
  EXPECT_EQ(counts(), (Counts{5, 2, 5}));
  const sys::TimePoint late = kStart + Inbox::kPatience + 1ms;
  have(6, 2, 5);
  EXPECT_FALSE(accept(0, late));
  EXPECT_EQ(counts(), (Counts{8, 0, 6})) << "of the two that were taken back each got one";
  EXPECT_EQ(roster_.inbox(0).take().connections.size(), 1U);
  EXPECT_EQ(roster_.inbox(2).take().connections.size(), 1U);
  EXPECT_EQ(roster_.connections(), 14U);
}

TEST_F(RosterTest, AWorkerThatWasLateIsGivenNothingUntilItHasLooked) {
  have(5, 0, 5);
  roster_.relieve(1, kStart);
  EXPECT_FALSE(accept(0));
  EXPECT_EQ(counts(), (Counts{6, 0, 5}));
  EXPECT_TRUE(roster_.inbox(1).take().was_late);
  EXPECT_TRUE(accept(0));
  EXPECT_EQ(counts(), (Counts{6, 1, 5}));
}

TEST_F(RosterTest, ToGiveAConnectionAwayTakesNoMemory) {
  have(5, 0, 5);
  Inbox::Connections accepted = connection();
  const AllocationFailure no_memory;
  const bool is_handed_over = roster_.spread(0, accepted, kStart);
  EXPECT_TRUE(is_handed_over);
}

TEST_F(RosterTest, WhatAWorkerHasNoMemoryForGoesToAnotherAndForAWhileNothingComes) {
  have(5, 0, 3);
  EXPECT_TRUE(accept(0));
  EXPECT_TRUE(roster_.pass_on(1, roster_.inbox(1).take().connections, kStart));
  EXPECT_EQ(counts(), (Counts{5, 0, 4}));
  EXPECT_EQ(roster_.inbox(2).take().connections.size(), 1U);
  EXPECT_EQ(roster_.connections(), 9U);
  EXPECT_TRUE(accept(0));
  EXPECT_EQ(counts(), (Counts{5, 0, 5}));
  EXPECT_TRUE(accept(0, kStart + 1s));
  EXPECT_EQ(counts(), (Counts{5, 1, 5}));
}

TEST_F(RosterTest, WhatNobodyHasMemoryForStaysTheCallers) {
  have(1, 0, 0);
  EXPECT_TRUE(accept(0));
  EXPECT_TRUE(roster_.pass_on(1, roster_.inbox(1).take().connections, kStart));
  EXPECT_TRUE(roster_.pass_on(2, roster_.inbox(2).take().connections, kStart));
  Inbox::Connections& given = roster_.inbox(0).take().connections;
  EXPECT_FALSE(roster_.pass_on(0, given, kStart));
  ASSERT_EQ(given.size(), 1U);
  EXPECT_TRUE(given.front().fd.is_open());
  EXPECT_EQ(counts(), (Counts{2, 0, 0}));
}

TEST_F(RosterTest, WhatNobodyElseTakesStays) {
  have(5, 0, 5);
  EXPECT_TRUE(accept(0));
  roster_.inbox(0).close();
  roster_.inbox(2).close();
  roster_.relieve(1, kStart);
  EXPECT_EQ(counts(), (Counts{5, 1, 5}));
  EXPECT_EQ(roster_.inbox(1).take().connections.size(), 1U);
}

TEST_F(RosterTest, NewsOfRoomForAWorkerThatIsLateGoesToAnother) {
  roster_.set_wait(1, Roster::Wait::for_room);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any));
  roster_.set_wait(2, Roster::Wait::for_room);
  roster_.relieve(1, kStart);
  EXPECT_EQ(roster_.inbox(1).take().room, kNone);
  EXPECT_EQ(roster_.inbox(2).take().room, kOneOfAny);
  roster_.set_wait(1, Roster::Wait::for_room);
  roster_.inbox(1).set_late();
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any)) << "nobody hears of it";
  EXPECT_EQ(roster_.inbox(1).take().room, kNone);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any)) << "it waits still, and is told";
  EXPECT_EQ(roster_.inbox(1).take().room, kOneOfAny);
}

TEST_F(RosterTest, AWorkerThatHasEndedIsGivenNothing) {
  have(5, 0, 5);
  roster_.inbox(1).close();
  EXPECT_FALSE(accept(0));
  EXPECT_EQ(counts(), (Counts{6, 0, 5}));
}

TEST_F(RosterTest, NobodyEntersBeyondTheBoundButThoseWhoMust) {
  Roster roster(2, kWorkers);
  EXPECT_TRUE(roster.try_enter());
  EXPECT_TRUE(roster.try_enter());
  EXPECT_TRUE(roster.is_full());
  EXPECT_FALSE(roster.try_enter());
  roster.enter();
  EXPECT_EQ(roster.connections(), 3U);
  roster.give_back();
  EXPECT_FALSE(roster.try_enter());
  roster.keep(1);
  roster.leave(1);
  EXPECT_TRUE(roster.try_enter());
}

TEST_F(RosterTest, WorkersThatWaitAreToldInTurnsAndOnce) {
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    roster_.set_wait(worker, Roster::Wait::for_room);
  }
  int own = 0;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    own += roster_.wake_one(0, Waiters::any) ? 1 : 0;
  }
  EXPECT_EQ(own, 1);
  EXPECT_EQ(roster_.inbox(1).take().room, kOneOfAny);
  EXPECT_EQ(roster_.inbox(2).take().room, kOneOfAny);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any));
}

TEST_F(RosterTest, WhoWaitsForResourcesIsNotToldOfMereRoom) {
  roster_.set_wait(1, Roster::Wait::for_resources);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::for_room));
  EXPECT_EQ(roster_.inbox(1).take().room, kNone);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any));
  EXPECT_EQ(roster_.inbox(1).take().room, kOneOfAny);
}

TEST_F(RosterTest, WhoWaitsNoMoreIsNotTold) {
  roster_.set_wait(1, Roster::Wait::for_room);
  roster_.set_wait(1, Roster::Wait::nothing);
  EXPECT_FALSE(roster_.wake_one(0, Waiters::any));
  EXPECT_EQ(roster_.inbox(1).take().room, kNone);
}

}  // namespace
}  // namespace echod::test
