#include "admission.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <array>
#include <memory>

#include "echo_context.hpp"
#include "listener.hpp"

namespace echod::test {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    admission_.reserve_waiter();
    admission_.reserve_waiter();
  }

  void come(std::size_t worker = 0) {
    roster_->enter();
    roster_->keep(worker);
  }
  void fill() {
    come();
    come();
  }
  void take_turn(Listener& listener) {
    EXPECT_TRUE(listener.is_linked());
    loop_.remove(listener);
  }

  std::shared_ptr<spdlog::logger> logger_ = std::make_shared<spdlog::logger>("none");
  EventLoop loop_;
  std::shared_ptr<Roster> roster_ = std::make_shared<Roster>(2, 2);
  EchoContext context_{loop_, EchoSettings{}, logger_, roster_, 0};
  Listener first_{context_, std::make_shared<sys::ListenSocket>(), [](int) {}};
  Listener second_{context_, std::make_shared<sys::ListenSocket>(), [](int) {}};
  Admission admission_{*roster_, 0};
  Admission other_{*roster_, 1};  // Of another worker.
};

TEST_F(AdmissionTest, IsFullAtItsBoundAndNotBefore) {
  EXPECT_FALSE(admission_.is_full());
  come();
  EXPECT_FALSE(admission_.is_full());
  come();
  EXPECT_TRUE(admission_.is_full());
  EXPECT_EQ(admission_.connections(), 2U);
  admission_.leave();
  EXPECT_FALSE(admission_.is_full());
}

TEST_F(AdmissionTest, EachLeaveResumesTheNextInLineOnce) {
  fill();
  admission_.wait_for_room(first_);
  admission_.wait_for_room(second_);
  admission_.wait_for_room(first_);
  EXPECT_FALSE(first_.is_linked());
  admission_.leave();
  EXPECT_TRUE(first_.is_linked());  // In the ready list.
  EXPECT_FALSE(second_.is_linked());
  take_turn(first_);
  admission_.leave();
  EXPECT_FALSE(first_.is_linked());
  EXPECT_TRUE(second_.is_linked());
}

TEST_F(AdmissionTest, WhoWaitsAgainGoesToTheTail) {
  fill();
  admission_.wait_for_room(first_);
  admission_.wait_for_room(second_);
  admission_.leave();
  take_turn(first_);
  admission_.forget(first_);  // It accepts somebody.
  come();
  admission_.wait_for_room(first_);
  admission_.leave();
  EXPECT_FALSE(first_.is_linked());
  EXPECT_TRUE(second_.is_linked());
}

TEST_F(AdmissionTest, WhoFindsTheRoomTakenKeepsItsPlace) {
  fill();
  admission_.wait_for_room(first_);
  admission_.wait_for_room(second_);
  admission_.leave();
  come();  // Another listener's connection.
  take_turn(first_);
  admission_.wait_for_room(first_);
  admission_.leave();
  EXPECT_TRUE(first_.is_linked());
  EXPECT_FALSE(second_.is_linked());
}

TEST_F(AdmissionTest, AChanceIsPassedOnToWhoWaitsForRoomWhileThereIsRoom) {
  fill();
  admission_.wait_for_resources(first_);
  admission_.wait_for_room(second_);
  admission_.pass_on();
  EXPECT_FALSE(second_.is_linked());
  admission_.leave();
  take_turn(first_);
  admission_.wait_for_resources(first_);
  admission_.pass_on();
  EXPECT_FALSE(first_.is_linked());
  EXPECT_TRUE(second_.is_linked());
}

TEST_F(AdmissionTest, WhoeverIsForgottenIsNotResumed) {
  fill();
  admission_.wait_for_room(first_);
  admission_.wait_for_room(second_);
  admission_.forget(first_);
  admission_.leave();
  EXPECT_FALSE(first_.is_linked());
  EXPECT_TRUE(second_.is_linked());
}

TEST_F(AdmissionTest, ABoundThatRisesResumesAllWhoWait) {
  fill();
  admission_.wait_for_room(first_);
  admission_.wait_for_resources(second_);
  admission_.set_max_connections(3);
  EXPECT_TRUE(first_.is_linked());
  EXPECT_TRUE(second_.is_linked());
  EXPECT_EQ(admission_.max_connections(), 3U);
}

TEST_F(AdmissionTest, ABoundThatSinksKeepsEverybodyAndResumesNobodyUntilThereIsRoom) {
  fill();
  admission_.set_max_connections(1);
  admission_.wait_for_room(first_);
  EXPECT_EQ(admission_.connections(), 2U);
  admission_.leave();
  EXPECT_FALSE(first_.is_linked());
  admission_.leave();
  EXPECT_TRUE(first_.is_linked());
}

// Workers do not share a thread as they do here.

TEST_F(AdmissionTest, AConnectionOfAnotherWorkerThatLeavesTellsThisOneOfRoom) {
  roster_->inbox(0).open(loop_, [this] {
    EXPECT_EQ(roster_->inbox(0).take().room, (std::array<std::uint32_t, 2>{0, 1}));
    admission_.on_room(Waiters::any);
  });
  come(1);
  come(1);
  admission_.wait_for_room(first_);
  other_.leave();
  EXPECT_FALSE(first_.is_linked());
  loop_.run_once();  // The message; the turn comes in the next iteration.
  EXPECT_TRUE(first_.is_linked());
  roster_->inbox(0).close();
}

TEST_F(AdmissionTest, NewsOfRoomThatNobodyHereWaitsForIsPassedOn) {
  roster_->inbox(1).open(loop_, [] {});
  roster_->set_wait(1, Roster::Wait::for_room);
  admission_.on_room(Waiters::any);
  EXPECT_EQ(roster_->inbox(1).take().room, (std::array<std::uint32_t, 2>{0, 1}));
  roster_->inbox(1).close();
}

TEST_F(AdmissionTest, WhoWasLateLooksForRoomItself) {
  fill();
  admission_.wait_for_room(first_);
  EXPECT_TRUE(roster_->wake_one(0, Waiters::any)) << "it is told, and does not hear it";
  admission_.catch_up();
  EXPECT_FALSE(first_.is_linked()) << "there is no room";
  roster_->leave(0);
  admission_.catch_up();
  EXPECT_TRUE(first_.is_linked());
}

TEST_F(AdmissionTest, RoomThatCameJustBeforeTheWaitIsNotMissed) {
  come();
  come(1);
  EXPECT_FALSE(admission_.try_enter());
  other_.leave();
  admission_.wait_for_room(first_);
  EXPECT_TRUE(first_.is_linked());
}

TEST_F(AdmissionTest, RoomThatNobodyCameForIsGivenBackAndPassedOn) {
  come();
  EXPECT_TRUE(other_.try_enter());
  admission_.wait_for_room(first_);
  other_.give_back();
  EXPECT_FALSE(first_.is_linked());
  admission_.pass_on();
  EXPECT_TRUE(first_.is_linked());
}

TEST_F(AdmissionTest, OnlyThoseWhoEnteredLeave) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(admission_.leave(), "only those who entered leave");
}

}  // namespace
}  // namespace echod::test
