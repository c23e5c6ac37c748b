// The error texts for common mistakes, with the positions that the parser reports.
#include "config/syntax_error.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/config_errors.hpp"
#include "config/config_file.hpp"

namespace echod {
namespace {

// The error text for `text`, which is not TOML.
std::string error_in(const std::string& text) {
  try {
    (void)parse_config(text, "echod.toml");
  } catch (const ConfigErrors& errors) {
    EXPECT_EQ(errors.lines().size(), 1U) << text;
    return errors.lines().front();
  }
  return "none";
}

TEST(SyntaxError, SaysThatAStringNeedsQuotesIfTheParserNamesBooleansOrNumbers) {
  const std::string address = R"(a string needs quotes, as in address = "::")";
  const std::string level = R"(a string needs quotes, as in file_level = "debug")";
  const std::string file = R"(a string needs quotes, as in file = "network-server.log")";
  const std::vector<std::pair<std::string, std::string>> slips{
      {"[[listen]]\naddress = 127.0.0.1\n", address},
      {"[[listen]]\naddress = fe80::1%eth0 # x\n", address},
      {"[[listen]]\naddress = [::1]\n", address},
      {"listen = [{address = 10.0.0.5, port = 7}]\n", address},
      {"[log]\nfile_level = debug\n", level},
      {"[log]\nfile_level = foo\n", level},
      {"[log]\nfile_level = info\n", level},
      {"log.file_level = trace\n", level},
      {"[log]\nfile_level = \xE2\x80\x9C"
       "debug\xE2\x80\x9D\n",
       level},
      {"[log]\nfile = network-server.log\n", file},
      {"[log]\nfile = /var/log/echod.log\n", file},
      {"[log]\nlevel = foo\n", "a string needs quotes"}};
  for (const auto& [text, words] : slips) {
    const std::string error = error_in(text);
    EXPECT_TRUE(error.ends_with(": not TOML: " + words)) << error;
  }
}

TEST(SyntaxError, NamesTheAllowedValuesForAWordThatIsNoValue) {
  const std::vector<std::pair<std::string, std::string>> slips{
      {"[socket]\nno_delay = yes\n", "; use true or false"},
      {"[socket]\nno_delay = True\n", "; use true or false"},
      {"[turn]\nreads = many\n", "; use 1 to 1024"},
      {"[timeouts]\nidle_s = 1,5\n", ": a number has no comma: write 0.5 or 10000"},
      {"[limits]\nmax_connections = 10,000 # x\n", ": a number has no comma: write 0.5 or 10000"}};
  for (const auto& [text, end] : slips) {
    const std::string error = error_in(text);
    EXPECT_TRUE(error.ends_with(end)) << error;
  }
}

TEST(SyntaxError, KeepsTheTextOfTheParserIfItIsClear) {
  for (const std::string text : {"[log]\nfile = 'x' y\n", "[log]\nfile = \"x\n", "port: 2003\n",
                                 "port = 1\nport = 2\n", "port == 2003\n",
                                 "[socket]\nno_delay = "
                                 "true\nno_delay = true\n",
                                 "port =\n", "[log]\n[log]\n"}) {
    const std::string error = error_in(text);
    EXPECT_NE(error.find(": not TOML: Error while parsing "), std::string::npos) << error;
    EXPECT_EQ(error.find("; use "), std::string::npos) << error;
  }
}

// Such a position could come from a text that is not UTF-8 or from another version of the parser.
TEST(SyntaxError, KeepsTheTextOfTheParserIfThePositionIsOutsideTheText) {
  EXPECT_EQ(syntax_error_text("", 1, "words"), "words");
  EXPECT_EQ(syntax_error_text("port = many", 0, "words"), "words; use 0 to 65535");
  EXPECT_EQ(syntax_error_text("port = 1,", 1000, "words"), "words");
}

}  // namespace
}  // namespace echod
