#include "text/numbers.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>

namespace echod::test {
namespace {

TEST(NumbersTest, CountsAreExactInGroupsOfThree) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1 000");
  EXPECT_EQ(count_text(1'234'567), "1 234 567");
  EXPECT_EQ(count_text(std::numeric_limits<std::uint64_t>::max()), "18 446 744 073 709 551 615");
}

TEST(NumbersTest, DecimalsAreRounded) {
  EXPECT_EQ(number_text(2.666, 2), "2.67");
  EXPECT_EQ(number_text(2, 0), "2");
  EXPECT_EQ(number_text(std::numeric_limits<double>::max(), 0).size(), 309U);
}

TEST(NumbersTest, ThreeDigitsAreShownWithoutZerosAtTheEnd) {
  EXPECT_EQ(three_digits_text(0), "0");
  EXPECT_EQ(three_digits_text(3.204), "3.2");
  EXPECT_EQ(three_digits_text(9.996), "10");
  EXPECT_EQ(three_digits_text(64.25), "64.2");
  EXPECT_EQ(three_digits_text(99.96), "100");
  EXPECT_EQ(three_digits_text(1234.5), "1234");
}

TEST(NumbersTest, ANumberHasTheLargestUnitInWhichItIsAtLeastOne) {
  constexpr std::array<std::string_view, 3> kUnits{"us", "ms", "s"};
  constexpr double kStep = 1000;
  EXPECT_EQ(scaled_text(0, kStep, kUnits), "0 us");
  EXPECT_EQ(scaled_text(999.4, kStep, kUnits), "999 us");
  EXPECT_EQ(scaled_text(999.6, kStep, kUnits), "1 ms");
  EXPECT_EQ(scaled_text(5e9, kStep, kUnits), "5000 s");
}

}  // namespace
}  // namespace echod::test
