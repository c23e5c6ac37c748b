#include "client/echoctl/table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace echod::ctl {
namespace {

using Align = Table::Align;

TEST(TableTest, NumbersAreAlignedToTheRightAndNamesToTheLeft) {
  Table table({{"NAME", Align::left}, {"COUNT"}, {"NOTE", Align::left}});
  table.add({"a", "1", ""});
  table.add({"a longer one", "1 234 567", "stuck"});
  EXPECT_EQ(table.rows(), 2U);
  EXPECT_EQ(table.lines(),
            (std::vector<std::string>{"NAME              COUNT  NOTE", "a                     1",
                                      "a longer one  1 234 567  stuck"}));
}

TEST(TableTest, ATableWithoutRowsHasItsHeadings) {
  EXPECT_EQ(Table({{"A", Align::left}, {"B"}}).lines(), std::vector<std::string>{"A  B"});
}

TEST(TableTest, CharactersOfSeveralBytesAndStylesDoNotMoveColumns) {
  const Style style(true);
  Table table({{"NAME", Align::left}, {"N"}});
  table.add({"gr\xc3\xbc\xc3\x9f", "1"});
  table.add({style.bad("bad"), "2"});
  const std::vector<std::string> lines = table.lines();
  EXPECT_EQ(lines[0], "NAME  N");
  EXPECT_EQ(lines[1], "gr\xc3\xbc\xc3\x9f  1");
  EXPECT_EQ(lines[2], "\x1b[1;31mbad\x1b[0m   2");
}

TEST(TableTest, AWidthCountsCharactersAndNoStyles) {
  EXPECT_EQ(width_of(""), 0U);
  EXPECT_EQ(width_of("abc"), 3U);
  EXPECT_EQ(width_of("\xe2\x82\xac 5"), 3U);
  EXPECT_EQ(width_of("\x1b[1mmm\x1b[0m"), 2U);
}

TEST(TableTest, ACutNeverSplitsACharacterOrAStyle) {
  EXPECT_EQ(cut("abc", 3), "abc");
  EXPECT_EQ(cut("abc", 2), "ab");
  EXPECT_EQ(cut("abc", 0), "");
  EXPECT_EQ(cut("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 2), "\xe2\x82\xac\xe2\x82\xac");
  EXPECT_EQ(cut("a\x1b[1mbcd\x1b[0m", 2), "a\x1b[1mb\x1b[0m");
}

TEST(TableTest, AStyleThatIsOffChangesNothing) {
  const Style off(false);
  EXPECT_EQ(off.bold("x") + off.good("y") + off.bad("z"), "xyz");
  const Style on(true);
  EXPECT_EQ(on.bold("x"), "\x1b[1mx\x1b[0m");
  EXPECT_EQ(on.bold(""), "");
}

TEST(TableTest, AnAgeHasTheUnitsThatFit) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  constexpr double kDay = 86400;
  EXPECT_EQ(age_text(0), "0.00 s");
  EXPECT_EQ(age_text(-1), "0.00 s");
  EXPECT_EQ(age_text(0.014), "0.01 s");
  EXPECT_EQ(age_text(9.994), "9.99 s");
  EXPECT_EQ(age_text(9.996), "10.0 s");
  EXPECT_EQ(age_text(59.94), "59.9 s");
  EXPECT_EQ(age_text(59.96), "1m 00s");
  EXPECT_EQ(age_text(12 * kMinute + 5), "12m 05s");
  EXPECT_EQ(age_text(kHour - 0.6), "59m 59s");
  EXPECT_EQ(age_text(kHour - 0.4), "1h 00m");
  EXPECT_EQ(age_text(3 * kHour + 5 * kMinute), "3h 05m");
  EXPECT_EQ(age_text(4 * kDay + 7 * kHour), "4d 07h");
  EXPECT_EQ(age_text(1e300), "11574074074d 01h");
}

TEST(TableTest, ATimeIsThatOfTheLocalZone) {
  ASSERT_EQ(setenv("TZ", "EST5", 1), 0);
  tzset();
  EXPECT_EQ(local_time_text(1764401000.9), "2025-11-29 02:23:20");
  EXPECT_EQ(local_time_text(1e300), "5138-11-16 04:46:40");
  ASSERT_EQ(unsetenv("TZ"), 0);
  tzset();
}

}  // namespace
}  // namespace echod::ctl
