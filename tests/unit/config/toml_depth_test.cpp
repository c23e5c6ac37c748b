#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/config_errors.hpp"
#include "config/config_file.hpp"
#include "config/toml_depth.hpp"

namespace echod {
namespace {

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) {
    text += part;
  }
  return text;
}

const std::string kMost = repeated(".", kMaxTomlDots);

bool has_too_many(const std::string& text) {
  return dot_too_many(text).has_value();
}

TEST(TomlDepth, CountsTheDotsOfAllLines) {
  EXPECT_FALSE(has_too_many(""));
  EXPECT_FALSE(has_too_many(kMost));
  EXPECT_TRUE(has_too_many(kMost + '.'));
  EXPECT_TRUE(has_too_many(kMost + "\n[x.y]\n"));
}

TEST(TomlDepth, SaysWhere) {
  const auto where = dot_too_many("[a]\n" + kMost + "\nab.c\n");
  ASSERT_TRUE(where);
  EXPECT_EQ(where->line, 3U);
  EXPECT_EQ(where->column, 3U);
  EXPECT_EQ(dot_too_many(kMost + '.')->column, kMaxTomlDots + 1);
}

TEST(TomlDepth, LeavesOutStringsAndComments) {
  for (const std::string text :
       {"# . \" ' .\n", R"("..\"..")", R"("..\\")", R"('..".\')", R"("")", R"('')", R"("""""")",
        R"("""."""")", R"(""".""""")", R"('''.''''')", "\"\"\"\n.\" \"\" .\\\"\"\".\n\"\"\"",
        "'''\n.' '' .\n'''"}) {
    EXPECT_FALSE(has_too_many(kMost + text)) << text;
    EXPECT_TRUE(has_too_many(kMost + text + '.')) << text;
  }
}

// A file that is no TOML: the parser says what is wrong with it, and where.
TEST(TomlDepth, AStringThatIsNotClosedEndsWithItsLineOrTheText) {
  EXPECT_TRUE(has_too_many(kMost + "\"...\n."));
  EXPECT_TRUE(has_too_many(kMost + "'...\n."));
  EXPECT_FALSE(has_too_many(kMost + "\"\"\"...\n."));
  EXPECT_FALSE(has_too_many(kMost + "\"...\\"));
  EXPECT_FALSE(has_too_many(kMost + '"'));
  EXPECT_FALSE(has_too_many(kMost + "\"\"\""));
}

// What the bound is for. The last two are bounded by the parser itself; the one before overflows
// the stack though no line of it is long.
TEST(TomlDepth, TextsThatNestWithoutEndAreRefusedInOneLine) {
  constexpr std::size_t kMany = 200'000;
  const std::string long_key = repeated("a.", 900) + "a";
  for (const std::string& text :
       {repeated("a.", kMany) + "a = 1\n", '[' + repeated("a.", kMany) + "a]\n",
        "[[" + repeated("a.", kMany) + "a]]\n", repeated("'a'.", kMany) + "a = 1\n",
        "x = {" + repeated("a.", kMany) + "a = 1}\n",
        "x = [{" + repeated(long_key + " = [\n{", 120) + repeated("}]", 121) + '\n',
        "x = " + repeated("[", kMany) + "\n", "x = " + repeated("{a = ", kMany) + "\n"}) {
    try {
      (void)parse_config(text, "echod.toml");
      ADD_FAILURE() << "taken: " << text.substr(0, 20);
    } catch (const ConfigErrors& errors) {
      ASSERT_EQ(errors.lines().size(), 1U) << text.substr(0, 20);
      EXPECT_TRUE(errors.lines().front().starts_with("echod.toml:")) << errors.lines().front();
    }
  }
}

TEST(TomlDepth, TheBoundItselfIsNoTroubleToTheParser) {
  const std::string deepest = repeated("a.", kMaxTomlDots) + "a = 1\n";
  EXPECT_THROW((void)parse_config(deepest, "echod.toml"), ConfigErrors);  // An unknown key.
}

}  // namespace
}  // namespace echod
