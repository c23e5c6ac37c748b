#include "admission/admission.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class AdmissionTest : public testing::Test {
 protected:
  static constexpr std::size_t kWorkers = 3;

  AdmissionTest() {
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      admission_.add_worker(worker, on_wake_);
    }
  }

  void add(std::size_t worker, std::uint32_t connections) {
    for (std::uint32_t i = 0; i < connections; ++i) {
      admission_.take_slot();
      admission_.count_connection(worker);
    }
  }
  void have(std::uint32_t first, std::uint32_t second, std::uint32_t third) {
    add(0, first);
    add(1, second);
    add(2, third);
  }
  [[nodiscard]] static sys::TimePoint now() { return sys::MonotonicClock::now(); }
  [[nodiscard]] std::optional<std::size_t> less_loaded_than(std::size_t worker) const {
    return admission_.less_loaded_than(worker, now());
  }

  EventLoop loop_;
  Notifier on_wake_{loop_, [] {}};
  Admission admission_{100'000, kWorkers};
};

// Room.

TEST_F(AdmissionTest, IsFullAtItsBoundAndNotBefore) {
  Admission admission(2, 1);
  EXPECT_TRUE(admission.try_take_slot());
  EXPECT_FALSE(admission.is_full());
  EXPECT_TRUE(admission.try_take_slot());
  EXPECT_TRUE(admission.is_full());
  EXPECT_FALSE(admission.try_take_slot());
  EXPECT_EQ(admission.connections(), 2U);
  admission.return_slot();
  EXPECT_TRUE(admission.try_take_slot());
}

TEST_F(AdmissionTest, AWorkerThatEmptiesAQueueEntersBeyondTheBound) {
  Admission admission(1, 1);
  admission.take_slot();
  admission.take_slot();
  EXPECT_EQ(admission.connections(), 2U);
}

TEST_F(AdmissionTest, ABoundThatSinksKeepsEverybody) {
  have(2, 0, 0);
  admission_.set_max_connections(1);
  EXPECT_EQ(admission_.connections(), 2U);
  admission_.connection_closed(0);
  EXPECT_FALSE(admission_.try_take_slot());
  admission_.connection_closed(0);
  EXPECT_TRUE(admission_.try_take_slot());
}

TEST_F(AdmissionTest, AConnectionIsCountedForItsWorkerOnlyWhenItIsThere) {
  EXPECT_TRUE(admission_.try_take_slot());
  EXPECT_EQ(admission_.connections_of(1), 0U);
  admission_.count_connection(1);
  EXPECT_EQ(admission_.connections_of(1), 1U);
  admission_.connection_closed(1);
  EXPECT_EQ(admission_.connections_of(1), 0U);
  EXPECT_EQ(admission_.connections(), 0U);
}

TEST_F(AdmissionTest, AWishForRoomIsTakenOnce) {
  EXPECT_FALSE(admission_.claim_waiting_clients());
  admission_.note_waiting_clients();
  admission_.note_waiting_clients();
  EXPECT_TRUE(admission_.claim_waiting_clients());
  EXPECT_FALSE(admission_.claim_waiting_clients());
}

TEST_F(AdmissionTest, AConnectionThatLeavesTwiceIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(admission_.connection_closed(0), "a connection is closed once");
}

// Share.

TEST_F(AdmissionTest, AWorkerThatHasNoMoreThanOthersAccepts) {
  EXPECT_EQ(less_loaded_than(1), std::nullopt);
  have(1, 1, 1);
  EXPECT_EQ(less_loaded_than(1), std::nullopt);
}

TEST_F(AdmissionTest, AWorkerThatHasMoreLeavesItToTheOneWithTheFewest) {
  have(2, 1, 0);
  EXPECT_EQ(less_loaded_than(0), 2U);
  EXPECT_EQ(less_loaded_than(1), 2U);
  EXPECT_EQ(less_loaded_than(2), std::nullopt);
}

TEST_F(AdmissionTest, ALeadOfA32ndOfTheMeanIsKept) {
  have(1020, 990, 990);  // The mean is 1000, a 32nd of it 31.
  EXPECT_EQ(less_loaded_than(0), std::nullopt);
  add(0, 1);
  EXPECT_EQ(less_loaded_than(0), std::nullopt);
  add(0, 1);
  EXPECT_EQ(less_loaded_than(0), 1U);
}

// Whichever worker the kernel wakes: here always the first.
TEST_F(AdmissionTest, TenThousandConnectionsAreSpreadEvenly) {
  std::uint32_t accepted_by_others = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t worker = less_loaded_than(0).value_or(0);
    add(worker, 1);
    accepted_by_others += worker == 0 ? 0 : 1;
  }
  EXPECT_GT(accepted_by_others, 6000U);
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    EXPECT_LE(admission_.connections_of(worker), 1.04 * 10'000 / 3);
  }
}

TEST_F(AdmissionTest, AWorkerThatIsNotReadyIsSkipped) {
  have(2, 0, 1);
  admission_.set_can_accept(1, false);
  EXPECT_EQ(less_loaded_than(0), 2U);
  admission_.set_can_accept(2, false);
  EXPECT_EQ(less_loaded_than(0), std::nullopt);
  EXPECT_EQ(admission_.least_loaded_except(0, now()), std::nullopt);
  admission_.set_can_accept(1, true);
  EXPECT_EQ(less_loaded_than(0), 1U);
}

// Calls.

TEST_F(AdmissionTest, AWorkerThatWasCalledAndDoesNotComeIsLate) {
  have(2, 0, 1);
  const sys::TimePoint called = admission_.wake(1);
  EXPECT_EQ(admission_.less_loaded_than(0, called + Admission::kWakeTimeout), 1U);
  EXPECT_EQ(admission_.less_loaded_than(0, called + Admission::kWakeTimeout + 1ns), 2U);
  EXPECT_FALSE(admission_.has_answered(1, called));
  admission_.answer_wake(1);
  EXPECT_TRUE(admission_.has_answered(1, called));
  EXPECT_EQ(admission_.less_loaded_than(0, called + Admission::kWakeTimeout + 1ns), 1U);
}

TEST_F(AdmissionTest, CallsBeforeItComesAreOne) {
  const sys::TimePoint first = admission_.wake(1);
  while (now() == first) {
  }
  EXPECT_EQ(admission_.wake(1), first);
  admission_.answer_wake(1);
  EXPECT_GT(admission_.wake(1), first);
}

// The clock of the worker that asks was read before a long turn.
TEST_F(AdmissionTest, AnOldTimeMakesNobodyLate) {
  have(2, 0, 1);
  const sys::TimePoint called = admission_.wake(1);
  EXPECT_EQ(admission_.less_loaded_than(0, called - 10s), 1U);
}

}  // namespace
}  // namespace echod::test
