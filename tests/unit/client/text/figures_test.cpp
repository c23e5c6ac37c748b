#include "client/text/figures.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string_view>
#include <vector>

namespace echod::test {
namespace {

using namespace std::chrono_literals;
using client::bytes_text;
using client::duration_text;
using client::one_line;
using client::rate_text;
using client::size_text;

std::string preview_of(std::string_view text) {
  return client::preview(std::as_bytes(std::span(text)));
}

TEST(FiguresTest, ADurationHasThreeDigitsAndTheUnitThatFits) {
  EXPECT_EQ(duration_text(0ns), "0 ns");
  EXPECT_EQ(duration_text(999ns), "999 ns");
  EXPECT_EQ(duration_text(31400ns), "31.4 us");
  EXPECT_EQ(duration_text(3200us), "3.2 ms");
  EXPECT_EQ(duration_text(5s), "5 s");
  EXPECT_EQ(duration_text(1234s), "1234 s");
}

TEST(FiguresTest, ADurationThatRoundsUpToTheNextUnitHasThatUnit) {
  EXPECT_EQ(duration_text(999400ns), "999 us");
  EXPECT_EQ(duration_text(999600ns), "1 ms");
  EXPECT_EQ(duration_text(9996us), "10 ms");
  EXPECT_EQ(duration_text(99960us), "100 ms");
}

TEST(FiguresTest, SizesCountIn1024AndCountsAreExact) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(1000), "1000 bytes");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(64 << 20), "64 MiB");
  EXPECT_EQ(bytes_text(1), "1 byte");
  EXPECT_EQ(bytes_text(65536), "65536 bytes");
}

TEST(FiguresTest, ARateCountsInMillions) {
  EXPECT_EQ(rate_text(820'000'000, 2s), "410 MB/s");
  EXPECT_EQ(rate_text(1'500'000, 1s), "1.5 MB/s");
  EXPECT_EQ(rate_text(1, 0s), "0 MB/s");
}

TEST(FiguresTest, APreviewShowsEveryByteOnOneLine) {
  EXPECT_EQ(preview_of(""), "\"\"");
  EXPECT_EQ(preview_of("a \"b\"\\\r\n\t"), R"("a \"b\"\\\r\n\t")");
  EXPECT_EQ(preview_of(std::string_view("\0\x7f\xff", 3)), R"("\x00\x7f\xff")");
}

TEST(FiguresTest, APreviewSaysThatThereIsMore) {
  EXPECT_EQ(preview_of("0123456789abcdef"), "\"0123456789abcdef\"");
  EXPECT_EQ(preview_of("0123456789abcdefg"), "\"0123456789abcdef\"...");
}

TEST(FiguresTest, TheMedianIsTheValueInTheMiddle) {
  EXPECT_EQ(client::median({}), 0ns);
  EXPECT_EQ(client::median({7ns}), 7ns);
  EXPECT_EQ(client::median({9ns, 1ns, 5ns}), 5ns);
  EXPECT_EQ(client::median({9ns, 1ns, 5ns, 3ns}), 3ns);
}

TEST(FiguresTest, CountsAreWrittenInGroupsOfThree) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1 000");
  EXPECT_EQ(count_text(123'456), "123 456");
  EXPECT_EQ(count_text(1'234'567), "1 234 567");
  EXPECT_EQ(count_text(std::numeric_limits<std::uint64_t>::max()), "18 446 744 073 709 551 615");
}

TEST(FiguresTest, NumbersAreWrittenWithTheDecimalsAskedFor) {
  EXPECT_EQ(number_text(1.25, 1), "1.2");
  EXPECT_EQ(number_text(1.35, 1), "1.4");
  EXPECT_EQ(number_text(2, 0), "2");
  EXPECT_EQ(number_text(2, 3), "2.000");
  EXPECT_EQ(number_text(-0.5, 2), "-0.50");
}

TEST(FiguresTest, OneLineEscapesControlCharacters) {
  EXPECT_EQ(one_line("gr\xC3\xBCn \"x\" \\"), "gr\xC3\xBCn \"x\" \\");
  EXPECT_EQ(one_line("a\nb\r\t\x1b[2J\x7f"), "a\\nb\\r\\t\\x1b[2J\\x7f");
  EXPECT_EQ(one_line("\xC2\x9B\xC2\xA0"), "\xC2\\x9b\xC2\xA0");
}

}  // namespace
}  // namespace echod::test
