#include "client/load/message_counts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "seed.hpp"

namespace echod::client {
namespace {

// Sizes.

TEST(MessageSizesTest, EqualEndsGiveAFixedSize) {
  const MessageSizes sizes{.smallest = 64, .largest = 64};
  EXPECT_TRUE(sizes.is_fixed());
  for (std::uint64_t message = 0; message < 100; ++message) {
    EXPECT_EQ(sizes.size_of(7, message), 64U);
  }
}

TEST(MessageSizesTest, SizesOfARangeReachBothEndsAndAreEquallyLikely) {
  const MessageSizes sizes{.smallest = 5, .largest = 14};
  EXPECT_FALSE(sizes.is_fixed());
  std::map<std::uint32_t, int> counts;
  for (std::uint32_t connection = 0; connection < 100; ++connection) {
    for (std::uint64_t message = 0; message < 1000; ++message) {
      ++counts[sizes.size_of(connection, message)];
    }
  }
  EXPECT_EQ(counts.size(), 10U);
  EXPECT_EQ(counts.begin()->first, 5U);
  EXPECT_EQ(counts.rbegin()->first, 14U);
  for (const auto& [size, count] : counts) {
    EXPECT_NEAR(count, 10'000, 500) << size;
  }
}

TEST(MessageSizesTest, SizesStayWithinTheWidestRange) {
  const MessageSizes sizes{.smallest = 1, .largest = UINT32_MAX};
  std::uint32_t least = UINT32_MAX;
  std::uint32_t most = 0;
  for (std::uint64_t message = 0; message < 10'000; ++message) {
    least = std::min(least, sizes.size_of(0, message));
    most = std::max(most, sizes.size_of(0, message));
  }
  EXPECT_GE(least, 1U);
  EXPECT_LT(least, 1U << 22U);
  EXPECT_GT(most, UINT32_MAX - (1U << 22U));
}

TEST(MessageSizesTest, AreTheSameInEveryRunAndDifferBetweenConnections) {
  const MessageSizes sizes{.smallest = 1, .largest = 1'000'000};
  const MessageSizes again = sizes;
  int same = 0;
  for (std::uint64_t message = 0; message < 1000; ++message) {
    EXPECT_EQ(sizes.size_of(3, message), again.size_of(3, message));
    same += sizes.size_of(3, message) == sizes.size_of(4, message) ? 1 : 0;
  }
  EXPECT_LT(same, 5);
  // These must not change, because results are compared between versions.
  EXPECT_EQ(sizes.size_of(0, 0), 1U);
  EXPECT_EQ(sizes.size_of(0, 1), 607536U);
  EXPECT_EQ(sizes.size_of(9999, 123), 736836U);
}

// MessageCounts.

constexpr MessageSizes kTen{.smallest = 10, .largest = 10};

TEST(MessageCountsTest, AreBegunSentAndAnswered) {
  MessageCounts messages(kTen, 0);
  EXPECT_EQ(messages.outstanding(), 0U);
  EXPECT_EQ(messages.unsent_bytes(), 0U);
  EXPECT_FALSE(messages.has_answer());
  messages.begin();
  EXPECT_EQ(messages.begun(), 1U);
  EXPECT_EQ(messages.outstanding(), 1U);
  EXPECT_EQ(messages.unsent_bytes(), 10U);
  messages.on_sent(4);
  EXPECT_EQ(messages.unsent_bytes(), 6U);
  EXPECT_EQ(messages.owed_bytes(), 4U);
  messages.on_received(4);
  messages.on_sent(6);
  messages.on_received(5);
  EXPECT_FALSE(messages.has_answer());
  EXPECT_FALSE(messages.count_answer());
  EXPECT_EQ(messages.owed_bytes(), 1U);
  messages.on_received(1);
  EXPECT_TRUE(messages.has_answer());
  EXPECT_TRUE(messages.count_answer());
  EXPECT_FALSE(messages.count_answer());
  EXPECT_EQ(messages.answered(), 1U);
  EXPECT_EQ(messages.outstanding(), 0U);
}

TEST(MessageCountsTest, SeveralMayBeAnsweredAtOnce) {
  MessageCounts messages(kTen, 0);
  for (int i = 0; i < 3; ++i) {
    messages.begin();
  }
  EXPECT_EQ(messages.unsent_bytes(), 30U);
  messages.on_sent(30);
  messages.on_received(25);
  EXPECT_TRUE(messages.count_answer());
  EXPECT_TRUE(messages.count_answer());
  EXPECT_FALSE(messages.count_answer());
  EXPECT_EQ(messages.outstanding(), 1U);
}

TEST(MessageCountsTest, AbandonedMessagesKeepTheirBytesOfTheStream) {
  MessageCounts messages(kTen, 0);
  messages.begin();
  messages.begin();
  messages.on_sent(15);
  messages.on_received(3);
  messages.abandon();
  EXPECT_EQ(messages.outstanding(), 0U);
  EXPECT_EQ(messages.owed_bytes(), 0U);
  EXPECT_EQ(messages.unsent_bytes(), 0U);
  EXPECT_EQ(messages.sent(), 20U);
  EXPECT_EQ(messages.begun(), 2U);
  messages.begin();
  messages.on_sent(10);
  messages.on_received(9);
  EXPECT_FALSE(messages.has_answer());
  messages.on_received(1);
  EXPECT_TRUE(messages.count_answer());
  EXPECT_EQ(messages.answered(), 3U);
}

TEST(MessageCountsTest, AbandoningNothingChangesNothing) {
  MessageCounts messages(kTen, 0);
  messages.abandon();
  EXPECT_EQ(messages.begun(), 0U);
  EXPECT_EQ(messages.sent(), 0U);
}

TEST(MessageCountsTest, AreAnsweredExactlyWhenTheirLastByteIsBack) {
  std::mt19937_64 random(test::announce_seed());
  const MessageSizes sizes{.smallest = 1, .largest = 100};
  const std::uint32_t connection = static_cast<std::uint32_t>(random() % 1'000'000);
  MessageCounts messages(sizes, connection);
  std::uint64_t answered = 0;
  std::uint64_t end = sizes.size_of(connection, 0);  // End of the oldest unanswered message.
  for (int step = 0; step < 100'000; ++step) {
    switch (random() % 3) {
      case 0:
        messages.begin();
        break;
      case 1:
        messages.on_sent(std::min<std::uint64_t>(messages.unsent_bytes(), random() % 150));
        break;
      default:
        messages.on_received(std::min<std::uint64_t>(messages.owed_bytes(), random() % 150));
        break;
    }
    while (messages.count_answer()) {
      ASSERT_LE(end, messages.received());
      end += sizes.size_of(connection, ++answered);
    }
    ASSERT_EQ(messages.answered(), answered);
    ASSERT_TRUE(messages.received() < end || messages.outstanding() == 0);
    ASSERT_LE(messages.received(), messages.sent());
  }
}

}  // namespace
}  // namespace echod::client
