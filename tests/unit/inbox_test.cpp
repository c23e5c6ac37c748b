#include "inbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>

#include "allocations.hpp"
#include "event_loop.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr sys::TimePoint kNow{1000s};

class InboxTest : public testing::Test {
 protected:
  InboxTest() {
    inbox_.open(loop_, [this] { ++calls_; });
  }
  static Inbox::Connections connection() {
    Inbox::Connections one;
    one.push_back({.fd = sys::UniqueFd::adopt(eventfd(0, EFD_CLOEXEC)), .peer = {}});
    return one;
  }
  bool hand_over(sys::TimePoint now = kNow) {
    Inbox::Connections one = connection();
    return inbox_.hand_over(one, now);
  }

  static constexpr std::array<std::uint32_t, 2> kNone{};
  static constexpr std::array<std::uint32_t, 2> kOneOfAny{0, 1};

  int calls_ = 0;
  EventLoop loop_;
  Inbox inbox_;
};

TEST_F(InboxTest, CallsOnceForAllThatCameBetweenTwoLooks) {
  EXPECT_TRUE(hand_over());
  EXPECT_TRUE(hand_over());
  EXPECT_TRUE(inbox_.tell_of_room(Waiters::any));
  loop_.run_once();
  EXPECT_EQ(calls_, 1);
  const Inbox::Mail& mail = inbox_.take();
  EXPECT_EQ(mail.connections.size(), 2U);
  EXPECT_EQ(mail.room, kOneOfAny);
  EXPECT_EQ(inbox_.take().room, kNone);
  EXPECT_TRUE(hand_over());
  loop_.run_once();
  EXPECT_EQ(calls_, 2);
}

TEST_F(InboxTest, KeepsTheConnectionsThatAreLeftInItBeforeThoseThatComeLater) {
  Inbox::Connections first = connection();
  const int fd = first.front().fd.get();
  EXPECT_TRUE(inbox_.hand_over(first, kNow));
  EXPECT_EQ(inbox_.take().connections.size(), 1U);
  EXPECT_FALSE(inbox_.close_if_empty());
  EXPECT_TRUE(hand_over());
  Inbox::Connections& both = inbox_.take().connections;
  EXPECT_EQ(both.size(), 2U);
  EXPECT_EQ(both.front().fd.get(), fd);
  inbox_.close();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(InboxTest, WhatIsOnItsWayGoesOnWithoutMemory) {
  EXPECT_TRUE(hand_over());
  Inbox::Connections& given = inbox_.take().connections;
  Inbox other;
  other.open(loop_, [] {});
  {
    const AllocationFailure no_memory;
    EXPECT_TRUE(other.hand_over(given, kNow));
  }
  EXPECT_TRUE(given.empty());
  EXPECT_EQ(other.take().connections.size(), 1U);
  other.close();
}

TEST_F(InboxTest, RefusesConnectionsWhenTheFirstHasWaitedTooLong) {
  EXPECT_TRUE(hand_over());
  EXPECT_TRUE(hand_over(kNow + Inbox::kPatience));
  EXPECT_FALSE(hand_over(kNow + Inbox::kPatience + 1ns));
  EXPECT_EQ(inbox_.take().connections.size(), 2U);
  EXPECT_TRUE(hand_over(kNow + 1h)) << "they are the worker's to deal with now";
}

TEST_F(InboxTest, LeavesWhatItRefusesToTheCaller) {
  inbox_.close();
  Inbox::Connections one = connection();
  EXPECT_FALSE(inbox_.hand_over(one, kNow));
  EXPECT_EQ(one.size(), 1U);
  EXPECT_FALSE(inbox_.tell_of_room(Waiters::any));
  EXPECT_EQ(inbox_.take().room, kNone);
}

TEST_F(InboxTest, ThatClosesClosesWhatIsLeft) {
  Inbox::Connections one = connection();
  const int fd = one.front().fd.get();
  EXPECT_TRUE(inbox_.hand_over(one, kNow));
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
  inbox_.close();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST_F(InboxTest, GivesBackWhatNobodyHasTaken) {
  EXPECT_TRUE(hand_over());
  EXPECT_TRUE(hand_over());
  EXPECT_TRUE(inbox_.tell_of_room(Waiters::for_room));
  EXPECT_TRUE(inbox_.tell_of_room(Waiters::any));
  EXPECT_EQ(inbox_.take_back_connection().size(), 1U);
  Inbox::Connections one = inbox_.take_back_connection();
  EXPECT_EQ(one.size(), 1U);
  EXPECT_TRUE(inbox_.take_back_connection().empty());
  EXPECT_EQ(inbox_.take_back_room(), Waiters::any);
  EXPECT_EQ(inbox_.take_back_room(), Waiters::for_room);
  EXPECT_EQ(inbox_.take_back_room(), std::nullopt);
  EXPECT_TRUE(inbox_.put_back(one));
  EXPECT_TRUE(one.empty());
  EXPECT_EQ(inbox_.take().connections.size(), 1U);
  inbox_.close();
  one = connection();
  EXPECT_FALSE(inbox_.put_back(one));
  EXPECT_EQ(one.size(), 1U);
}

TEST_F(InboxTest, ThatIsLateTakesNothingInUntilItIsLookedInto) {
  inbox_.set_late();
  EXPECT_TRUE(inbox_.is_late());
  EXPECT_FALSE(hand_over());
  EXPECT_FALSE(inbox_.tell_of_room(Waiters::any));
  loop_.run_once();
  EXPECT_EQ(calls_, 1) << "or it would be late for ever";
  EXPECT_TRUE(inbox_.take().was_late);
  EXPECT_FALSE(inbox_.is_late());
  EXPECT_TRUE(hand_over());
  EXPECT_FALSE(inbox_.take().was_late);
}

TEST_F(InboxTest, StaysOpenWhileThereIsAConnectionToTake) {
  EXPECT_TRUE(hand_over());
  EXPECT_FALSE(inbox_.close_if_empty());
  inbox_.take().connections.clear();
  EXPECT_TRUE(inbox_.close_if_empty());
  EXPECT_FALSE(hand_over());
}

}  // namespace
}  // namespace echod::test
