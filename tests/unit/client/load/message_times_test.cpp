#include "client/load/message_times.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace echod::test {
namespace {

using client::MessageTimes;

sys::TimePoint at_ms(std::uint64_t ms) {
  return sys::TimePoint(std::chrono::milliseconds(ms));
}

TEST(MessageTimesTest, InAClosedLoopTheLatencyStartsWhenTheMessageBegins) {
  MessageTimes times(1);
  for (std::uint64_t message = 0; message < 5; ++message) {
    times.set_begun(message, at_ms(message + 10));
    EXPECT_EQ(times.begun(message), at_ms(message + 10));
    EXPECT_EQ(times.latency_start(message), at_ms(message + 10));
  }
  EXPECT_EQ(times.due_count(), 0U);
}

TEST(MessageTimesTest, InAnOpenLoopTheLatencyStartsWhenTheMessageWasDue) {
  MessageTimes times(1);
  times.add_due(0, at_ms(3));
  times.set_begun(0, at_ms(8));
  EXPECT_EQ(times.due_count(), 1U);
  EXPECT_EQ(times.latency_start(0), at_ms(3));
  EXPECT_EQ(times.begun(0), at_ms(8));
}

TEST(MessageTimesTest, KeepsTheBeginOfAsManyMessagesAsTheDepth) {
  for (const std::uint32_t depth : {1U, 2U, 3U, 4U, 5U, 100U}) {
    MessageTimes times(depth);
    for (std::uint64_t message = 0; message < 3 * depth; ++message) {
      times.set_begun(message, at_ms(message));
      for (std::uint64_t back = 0; back < std::min<std::uint64_t>(depth, message + 1); ++back) {
        EXPECT_EQ(times.begun(message - back), at_ms(message - back)) << depth;
      }
    }
  }
}

// The number of unanswered messages grows while the oldest of them is at any place of the ring.
TEST(MessageTimesTest, KeepsWhenEachUnansweredMessageWasDue) {
  MessageTimes times(1);
  std::uint64_t answered = 0;
  for (std::uint64_t message = 0; message < 200; ++message) {
    times.add_due(answered, at_ms(message * message));
    for (std::uint64_t earlier = answered; earlier <= message; ++earlier) {
      EXPECT_EQ(times.latency_start(earlier), at_ms(earlier * earlier)) << message;
    }
    answered += message % 3 == 0 ? 1U : 0U;
  }
}

TEST(MessageTimesTest, DroppedMessagesCanBecomeDueAgain) {
  MessageTimes times(1);
  for (std::uint64_t message = 0; message < 5; ++message) {
    times.add_due(0, at_ms(message));
  }
  times.drop_due_from(2);
  EXPECT_EQ(times.due_count(), 2U);
  times.add_due(0, at_ms(77));
  EXPECT_EQ(times.latency_start(1), at_ms(1));
  EXPECT_EQ(times.latency_start(2), at_ms(77));
}

}  // namespace
}  // namespace echod::test
