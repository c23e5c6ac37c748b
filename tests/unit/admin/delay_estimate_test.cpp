#include "admin/delay_estimate.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

constexpr std::size_t kUpTo100Us = 4;
constexpr std::size_t kUpTo250Us = 5;

TEST(DelayEstimateTest, NothingCountedHasNoEstimate) {
  EXPECT_EQ(estimated_delay_s({}, 0.5), std::nullopt);
  EXPECT_EQ(count_of({}), 0U);
}

TEST(DelayEstimateTest, SpreadsTheDelaysOfARangeEvenly) {
  DelayHistogram::Values values;
  values.counts[0] = 10;
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 0.5), 2.5e-6);
  values.counts[0] = 0;
  values.counts[kUpTo100Us] = 10;
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 0.5), 75e-6);
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 1), 100e-6);
}

TEST(DelayEstimateTest, FindsTheRangeOfTheQuantile) {
  DelayHistogram::Values values;
  values.counts[kUpTo100Us] = 98;
  values.counts[kUpTo250Us] = 2;
  EXPECT_EQ(count_of(values), 100U);
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 0.98), 100e-6);
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 0.99), 175e-6);
}

TEST(DelayEstimateTest, TheLastRangeHasNoUpperBoundAndIsEstimatedByItsLower) {
  DelayHistogram::Values values;
  values.counts[0] = 1;
  values.counts.back() = 99;
  EXPECT_DOUBLE_EQ(*estimated_delay_s(values, 0.5), 1.0);
}

TEST(DelayEstimateTest, GrowthIsTheDifferenceAndNeverBelowZero) {
  DelayHistogram::Values before;
  before.counts[0] = 5;
  before.counts[1] = 7;
  before.sum = std::chrono::milliseconds(3);
  DelayHistogram::Values now;
  now.counts[0] = 9;
  now.counts[1] = 6;
  now.sum = std::chrono::milliseconds(10);
  const DelayHistogram::Values grown = growth(now, before);
  EXPECT_EQ(grown.counts[0], 4U);
  EXPECT_EQ(grown.counts[1], 0U);
  EXPECT_EQ(grown.sum, std::chrono::milliseconds(7));
  EXPECT_EQ(growth(before, now).sum, std::chrono::milliseconds(0));
}

}  // namespace
}  // namespace echod::test
