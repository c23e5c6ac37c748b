#include "telemetry/listener_counts.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

TEST(ListenerCountsTest, CountsEachListenerByItself) {
  ListenerCounts counts;
  counts.accepted(0);
  counts.accepted(0);
  counts.accepted(kMostListeners - 1);
  counts.closed(0);
  EXPECT_EQ(counts.total(0), 2U);
  EXPECT_EQ(counts.open(0), 1U);
  EXPECT_EQ(counts.total(kMostListeners - 1), 1U);
  EXPECT_EQ(counts.open(kMostListeners - 1), 1U);
  EXPECT_EQ(counts.total(1), 0U);
}

}  // namespace
}  // namespace echod::test
