#include "pattern.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

constexpr std::uint64_t kSeed = 42;

TEST(PatternTest, ASliceIsTheSameHoweverItIsCut) {
  const Pattern pattern(kSeed);
  const std::string whole = pattern.slice(0, 100);
  for (std::size_t start = 0; start < whole.size(); ++start) {
    const std::string part = pattern.slice(start, whole.size() - start);
    EXPECT_EQ(part, whole.substr(start));
    EXPECT_FALSE(pattern.first_difference(part, start));
  }
}

TEST(PatternTest, TheFirstWrongByteIsFoundWhereverItStands) {
  const Pattern pattern(kSeed);
  constexpr std::uint64_t kPosition = 1003;
  for (std::size_t wrong = 0; wrong < 40; ++wrong) {
    std::string bytes = pattern.slice(kPosition, 40);
    bytes[wrong] = static_cast<char>(bytes[wrong] ^ 1);
    EXPECT_EQ(pattern.first_difference(bytes, kPosition), wrong);
  }
}

TEST(PatternTest, BytesThatMovedAreFound) {
  const Pattern pattern(kSeed);
  const std::string bytes = pattern.slice(8, 64);
  EXPECT_TRUE(pattern.first_difference(bytes, 0));
  EXPECT_TRUE(Pattern(kSeed + 1).first_difference(bytes, 8));
}

}  // namespace
}  // namespace echod::test
