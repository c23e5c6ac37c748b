#include "config/toml_value.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace echod {
namespace {

using namespace std::string_literals;

TEST(TomlValue, WritesScalarsInTomlSyntax) {
  EXPECT_EQ(value_text(true), "true");
  EXPECT_EQ(value_text(std::int64_t{-5}), "-5");
  EXPECT_EQ(value_text(0.1), "0.1");
  EXPECT_EQ(value_text(std::string("plain")), "\"plain\"");
}

TEST(TomlValue, WritesAWholeFloatWithAFraction) {
  EXPECT_EQ(value_text(2003.0), "2003.0");
  EXPECT_EQ(value_text(1e300), "1e+300");
  EXPECT_EQ(value_text(std::numeric_limits<double>::infinity()), "inf");
}

TEST(TomlValue, EscapesQuotesBackslashesAndControlCharactersInStrings) {
  EXPECT_EQ(value_text("a\"b\\c\nd\0e\x7F"s), R"("a\"b\\c\u000Ad\u0000e\u007F")");
}

TEST(TomlValue, EscapesTheC1ControlCharacters) {
  EXPECT_EQ(value_text("\xC2\x9B[31m"s), R"("\u009B[31m")");
}

TEST(TomlValue, KeepsUtf8AndEscapesOtherBytes) {
  EXPECT_EQ(value_text("gr\xC3\xB6\xC3\x9F"s), "\"gr\xC3\xB6\xC3\x9F\"");
  EXPECT_EQ(value_text("\xFF\xC3"s), R"("\xFF\xC3")");
}

TEST(TomlValue, CutsAStringAfterAWholeCharacter) {
  EXPECT_EQ(value_text("abcdef"s, 4), "\"abcd\"...");
  EXPECT_EQ(value_text("abc\xC3\xB6"s, 4), "\"abc\"...");
  EXPECT_EQ(value_text("abcd"s, 4), "\"abcd\"");
}

TEST(TomlValue, WritesNumbersWithoutExponents) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(1000000), "1000000");
  EXPECT_EQ(number_text(0), "0");
}

TEST(TomlValue, QuotesOnlyTheKeysThatNeedIt) {
  EXPECT_EQ(key_text("idle-time_2"), "idle-time_2");
  EXPECT_EQ(key_text("a b"), "\"a b\"");
  EXPECT_EQ(key_text(""), "\"\"");
  EXPECT_EQ(key_text("\x1B[31m"), R"("\u001B[31m")");
  EXPECT_LT(key_text(std::string(100000, 'x')).size(), 100U);
}

TEST(TomlValue, PutsAnyTextOnOneLine) {
  EXPECT_EQ(one_line("said \"x\"\nand\tmore", 100), R"(said "x"\u000Aand\u0009more)");
  EXPECT_EQ(one_line("abcdef", 3), "abc...");
}

TEST(TomlValue, RecognisesUtf8) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_utf8("\x80"));              // A continuation byte first.
  EXPECT_FALSE(is_utf8("\xC3"));              // Truncated.
  EXPECT_FALSE(is_utf8("\xC0\xAF"));          // Overlong.
  EXPECT_FALSE(is_utf8("\xE0\x80\xAF"));      // Overlong.
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));      // A surrogate.
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));  // Above U+10FFFF.
  EXPECT_FALSE(is_utf8("\xE2\x82\x41"));      // The last byte is no continuation byte.
}

}  // namespace
}  // namespace echod
