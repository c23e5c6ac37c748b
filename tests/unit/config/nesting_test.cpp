// Texts that would overflow the stack of the TOML parser.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "config/config_errors.hpp"
#include "config/config_file.hpp"

namespace echod {
namespace {

constexpr std::size_t kMaxDots = 10'000;

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) {
    text += part;
  }
  return text;
}

// The one line that refuses the text.
std::string refusal_line(const std::string& text) {
  try {
    (void)parse_config(text, "echod.toml");
  } catch (const ConfigErrors& errors) {
    EXPECT_EQ(errors.lines().size(), 1U) << text.substr(0, 20);
    return errors.lines().front();
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 20);
  return "";
}

TEST(TomlDepth, TheDotsOfAllLinesTogetherAreBounded) {
  const std::string most = '#' + repeated(".", kMaxDots) + '\n';
  EXPECT_NO_THROW((void)parse_config(most, "echod.toml"));
  EXPECT_EQ(refusal_line(most + "timeouts.idle_s = 1\n"),
            "echod.toml: has 10001 dots; use at most 10000, so that tables cannot nest too deeply");
}

TEST(TomlDepth, AKeyWithAllAllowedDotsDoesNotOverflowTheParser) {
  const std::string deepest = repeated("a.", kMaxDots) + "a = 1\n";
  EXPECT_NE(refusal_line(deepest).find("unknown section"), std::string::npos);
}

// The parser itself bounds the last two. The one before would overflow the stack although each of
// its lines is short.
TEST(TomlDepth, TextsThatNestWithoutEndAreRefusedInOneLine) {
  constexpr std::size_t kMany = 200'000;
  const std::string long_key = repeated("a.", 900) + "a";
  for (const std::string& text :
       {repeated("a.", kMany) + "a = 1\n", '[' + repeated("a.", kMany) + "a]\n",
        "[[" + repeated("a.", kMany) + "a]]\n", repeated("'a'.", kMany) + "a = 1\n",
        "x = {" + repeated("a.", kMany) + "a = 1}\n",
        "x = [{" + repeated(long_key + " = [\n{", 120) + repeated("}]", 121) + '\n',
        "x = " + repeated("[", kMany) + "\n", "x = " + repeated("{a = ", kMany) + "\n"}) {
    EXPECT_TRUE(refusal_line(text).starts_with("echod.toml:")) << text.substr(0, 20);
  }
}

}  // namespace
}  // namespace echod
