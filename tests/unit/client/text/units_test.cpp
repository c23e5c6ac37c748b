#include "client/text/units.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>

namespace echod::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// Texts that are not numbers.
const std::array kNonsense{"",      "k",    "M",        "-1",  "-0",  "+1", "1e3",   "nan",
                           "inf",   "-inf", "infinity", "NaN", "5 s", " 5", "5 ",    "0x10",
                           "1.5.2", "1,5",  "five",     "5kk", "5 k", "--", "1-2-3", "."};

TEST(UnitsTest, NonsenseIsRefused) {
  for (const char* const text : kNonsense) {
    EXPECT_EQ(parse_rate(text), std::nullopt) << text;
    EXPECT_EQ(parse_count(text), std::nullopt) << text;
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
    EXPECT_EQ(parse_bytes_range(text), std::nullopt) << text;
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(UnitsTest, NumbersTooLargeAreRefusedAndNotCutOff) {
  const std::string huge(400, '9');
  for (const std::string& text : {huge, huge + 'k', huge + "s"}) {
    EXPECT_EQ(parse_rate(text), std::nullopt);
    EXPECT_EQ(parse_count(text), std::nullopt);
    EXPECT_EQ(parse_bytes(text), std::nullopt);
    EXPECT_EQ(parse_duration(text), std::nullopt);
  }
  EXPECT_EQ(parse_count("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_bytes("18446744073709551615M"), std::nullopt);
  EXPECT_EQ(parse_duration("9223372037s"), std::nullopt);
  EXPECT_EQ(parse_duration("292471209m"), std::nullopt);
}

TEST(UnitsTest, RatesAreInThousandsAndAboveZero) {
  EXPECT_EQ(parse_rate("64"), 64);
  EXPECT_EQ(parse_rate("10k"), 10'000);
  EXPECT_EQ(parse_rate("1.5M"), 1'500'000);
  EXPECT_EQ(parse_rate("0.5"), 0.5);
  EXPECT_EQ(parse_rate(".5k"), 500);
  EXPECT_EQ(parse_rate("0"), std::nullopt);
  EXPECT_EQ(parse_rate("0k"), std::nullopt);
  EXPECT_EQ(parse_rate("0." + std::string(300, '0') + '1'), std::nullopt);
  EXPECT_EQ(parse_rate(std::string(305, '9') + 'M'), std::nullopt);
  EXPECT_EQ(parse_rate("100M"), 100'000'000);
  EXPECT_EQ(parse_rate("100.1M"), std::nullopt);
  EXPECT_EQ(parse_rate("0.000001"), 0.000001);
  EXPECT_EQ(parse_rate("0.0000009"), std::nullopt);
  EXPECT_EQ(parse_rate("10K"), std::nullopt);
  EXPECT_EQ(parse_rate("10m"), std::nullopt);
}

TEST(UnitsTest, CountsAreWhole) {
  EXPECT_EQ(parse_count("0"), 0U);
  EXPECT_EQ(parse_count("007"), 7U);
  EXPECT_EQ(parse_count("1.5k"), 1500U);
  EXPECT_EQ(parse_count("2M"), 2'000'000U);
  EXPECT_EQ(parse_count("1000000000000000"), 1'000'000'000'000'000U);
  EXPECT_EQ(parse_count("1.5"), std::nullopt);
  EXPECT_EQ(parse_count("1.0005k"), std::nullopt);
}

TEST(UnitsTest, FractionsOfAThousandThatGiveWholeNumbersAreWhole) {
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    std::array<char, 16> text{};
    (void)std::snprintf(text.data(), text.size(), "%llu.%03lluk",
                        static_cast<unsigned long long>(number / 1000),
                        static_cast<unsigned long long>(number % 1000));
    ASSERT_EQ(parse_count(text.data()), number) << text.data();
  }
}

TEST(UnitsTest, BytesAreInUnitsOf1024) {
  EXPECT_EQ(parse_bytes("64"), 64U);
  EXPECT_EQ(parse_bytes("16k"), 16'384U);
  EXPECT_EQ(parse_bytes("16K"), 16'384U);
  EXPECT_EQ(parse_bytes("1.5k"), 1536U);
  EXPECT_EQ(parse_bytes("1M"), 1'048'576U);
  EXPECT_EQ(parse_bytes("0"), 0U);
  EXPECT_EQ(parse_bytes("0.1k"), std::nullopt);
  EXPECT_EQ(parse_bytes("1G"), std::nullopt);
  EXPECT_EQ(parse_bytes("64B"), std::nullopt);
}

TEST(UnitsTest, RangesOfBytesHaveBothEnds) {
  using Range = std::pair<std::uint64_t, std::uint64_t>;
  EXPECT_EQ(parse_bytes_range("64"), Range(64, 64));
  EXPECT_EQ(parse_bytes_range("64-4k"), Range(64, 4096));
  EXPECT_EQ(parse_bytes_range("7-7"), Range(7, 7));
  for (const char* const text : {"4k-64", "64-", "-64", "-", "64--4k", "64 - 4k", "64-4k-5k"}) {
    EXPECT_EQ(parse_bytes_range(text), std::nullopt) << text;
  }
}

TEST(UnitsTest, DurationsWithoutAUnitAreSeconds) {
  EXPECT_EQ(parse_duration("10"), seconds(10));
  EXPECT_EQ(parse_duration("10s"), seconds(10));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("20us"), microseconds(20));
  EXPECT_EQ(parse_duration("0.5us"), nanoseconds(500));
  EXPECT_EQ(parse_duration("2m"), minutes(2));
  EXPECT_EQ(parse_duration("0"), seconds(0));
  EXPECT_EQ(parse_duration("0.1"), milliseconds(100));
  EXPECT_EQ(parse_duration("0.7ms"), microseconds(700));
  EXPECT_EQ(parse_duration("10h"), std::nullopt);
  EXPECT_EQ(parse_duration("10S"), std::nullopt);
  EXPECT_EQ(parse_duration("10ns"), std::nullopt);
}

}  // namespace
}  // namespace echod::client
