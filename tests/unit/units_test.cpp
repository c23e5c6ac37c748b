#include "units.hpp"

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

// What is no number of any kind.
const std::array kNonsense{"",      "k",    "M",        "-1",  "-0",  "+1", "1e3",   "nan",
                           "inf",   "-inf", "infinity", "NaN", "5 s", " 5", "5 ",    "0x10",
                           "1.5.2", "1,5",  "five",     "5kk", "5 k", "--", "1-2-3", "."};

TEST(UnitsTest, NonsenseIsNoNumberOfAnyKind) {
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

TEST(UnitsTest, RatesAreInThousandsAndAboveNought) {
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

TEST(UnitsTest, AnyThousandthsOfAThousandAreWhole) {
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

TEST(UnitsTest, DurationsAreWrittenWithThreeDigitsThatTellSomething) {
  EXPECT_EQ(duration_text(nanoseconds(0)), "0 ns");
  EXPECT_EQ(duration_text(nanoseconds(1)), "1 ns");
  EXPECT_EQ(duration_text(nanoseconds(850)), "850 ns");
  EXPECT_EQ(duration_text(nanoseconds(999)), "999 ns");
  EXPECT_EQ(duration_text(microseconds(1)), "1.00 us");
  EXPECT_EQ(duration_text(nanoseconds(12'340)), "12.3 us");
  EXPECT_EQ(duration_text(nanoseconds(123'400)), "123 us");
  EXPECT_EQ(duration_text(microseconds(1240)), "1.24 ms");
  EXPECT_EQ(duration_text(milliseconds(2500)), "2.50 s");
  EXPECT_EQ(duration_text(seconds(75)), "75.0 s");
  EXPECT_EQ(duration_text(minutes(20)), "1200 s");
}

TEST(UnitsTest, ADurationThatIsRoundedUpToTheNextUnitIsWrittenInIt) {
  EXPECT_EQ(duration_text(nanoseconds(999'499)), "999 us");
  EXPECT_EQ(duration_text(nanoseconds(999'600)), "1.00 ms");
  EXPECT_EQ(duration_text(nanoseconds(999'999)), "1.00 ms");
  EXPECT_EQ(duration_text(microseconds(999'600)), "1.00 s");
  EXPECT_EQ(duration_text(nanoseconds(999'999'999)), "1.00 s");
  // And within a unit with no digit too many.
  EXPECT_EQ(duration_text(nanoseconds(9'994)), "9.99 us");
  EXPECT_EQ(duration_text(nanoseconds(9'996)), "10.0 us");
  EXPECT_EQ(duration_text(nanoseconds(99'940)), "99.9 us");
  EXPECT_EQ(duration_text(nanoseconds(99'960)), "100 us");
}

TEST(UnitsTest, NoDurationBelowThousandSecondsHasMoreThanThreeDigits) {
  for (double time = 1; time < 999e9; time *= 1.001) {
    const std::string text = duration_text(nanoseconds(static_cast<std::int64_t>(time)));
    std::size_t digits = 0;
    for (const char character : text) {
      digits += character >= '0' && character <= '9' ? 1U : 0U;
    }
    ASSERT_LE(digits, 3U) << text;
    ASSERT_TRUE(text.ends_with(" ns") || digits == 3) << text;
  }
}

TEST(UnitsTest, CountsAreWrittenInGroupsOfThree) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1 000");
  EXPECT_EQ(count_text(123'456), "123 456");
  EXPECT_EQ(count_text(1'234'567), "1 234 567");
  EXPECT_EQ(count_text(std::numeric_limits<std::uint64_t>::max()), "18 446 744 073 709 551 615");
}

TEST(UnitsTest, BytesAreWrittenInBinaryUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(64), "64 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(12 << 20), "12.0 MiB");
  EXPECT_EQ(bytes_text(5ULL << 30U), "5.0 GiB");
  EXPECT_EQ(bytes_text(5ULL << 40U), "5.0 TiB");
  EXPECT_EQ(bytes_text(5ULL << 50U), "5120.0 TiB");
}

TEST(UnitsTest, BytesThatAreRoundedUpToTheNextUnitAreWrittenInIt) {
  EXPECT_EQ(bytes_text((1 << 20) - 103), "1023.9 KiB");
  EXPECT_EQ(bytes_text((1 << 20) - 10), "1.0 MiB");
  EXPECT_EQ(bytes_text((1 << 30) - 1), "1.0 GiB");
  EXPECT_EQ(bytes_text((1ULL << 40U) - 1), "1.0 TiB");
}

TEST(UnitsTest, NumbersAreWrittenWithTheDecimalsAskedFor) {
  EXPECT_EQ(number_text(1.25, 1), "1.2");
  EXPECT_EQ(number_text(1.35, 1), "1.4");
  EXPECT_EQ(number_text(2, 0), "2");
  EXPECT_EQ(number_text(2, 3), "2.000");
  EXPECT_EQ(number_text(-0.5, 2), "-0.50");
}

}  // namespace
}  // namespace echod::client
