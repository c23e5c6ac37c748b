#include "text/utf8.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

constexpr const char* kBad = "\uFFFD";

TEST(Utf8Test, KeepsWhatIsValid) {
  const std::string text =
      "plain, \u00FC \u0800 \u20AC \uD7FF \uE000 \uFFFD \U00010000 \U0010FFFF\t\r\n";
  EXPECT_EQ(printable_utf8(text), text);
  EXPECT_EQ(printable_utf8(""), "");
}

TEST(Utf8Test, ReplacesEachInvalidSequence) {
  const std::string bad = kBad;
  EXPECT_EQ(printable_utf8("a\x80z"), "a" + bad + "z");        // No first byte.
  EXPECT_EQ(printable_utf8("\xC0\xAF"), bad + bad);            // An overlong slash.
  EXPECT_EQ(printable_utf8("\xE0\x80\xAF"), bad + bad + bad);  // The same, of three bytes.
  EXPECT_EQ(printable_utf8("\xED\xA0\x80"), bad + bad + bad);  // A surrogate.
  EXPECT_EQ(printable_utf8("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // Above U+10FFFF.
  EXPECT_EQ(printable_utf8("\xF5\xFF"), bad + bad);
  EXPECT_EQ(printable_utf8("\xE2\x82z"), bad + "z");  // The third byte is missing.
  EXPECT_EQ(printable_utf8("\xF0\x9F\x98"), bad);     // The text ends too early.
  EXPECT_EQ(printable_utf8("\xC3"), bad);
  EXPECT_EQ(printable_utf8("\xC3\xC3\xBC"), bad + "\u00FC");
}

TEST(Utf8Test, ReplacesCharactersThatXmlDoesNotAllowOrTerminalsObey) {
  const std::string bad = kBad;
  EXPECT_EQ(printable_utf8(std::string("\0\x01\x1B\x1F\x7F", 5)), bad + bad + bad + bad + bad);
  EXPECT_EQ(printable_utf8("\u0085\u009B\u00A0"), bad + bad + "\u00A0");
  EXPECT_EQ(printable_utf8("\uFFFE\uFFFF"), bad + bad);
}

}  // namespace
}  // namespace echod::test
