// A wrong configuration stops the start with code 78 and a line for each error:
// "file:line:column: key: what is wrong, what to use".
#include <gtest/gtest.h>
#include <sysexits.h>

#include "daemon_process.hpp"
#include "own_etc.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

class ConfigErrorsTest : public testing::Test {
 protected:
  // What echod says of this file; fails unless it ends with the code for configuration errors.
  std::vector<std::string> errors_of(const std::string& text) {
    write_file(directory_.file("echod.toml"), text);
    const ChildResult result = run_echod({"--config", "echod.toml"}, directory_.path());
    EXPECT_EQ(result.exit_code, EX_CONFIG) << text;
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(std::filesystem::exists(directory_.file("network-server.log")));
    return lines_of(result.err);
  }

  // The only error of this file.
  std::string error_of(const std::string& text) {
    const std::vector<std::string> lines = errors_of(text);
    EXPECT_EQ(lines.size(), 1U) << testing::PrintToString(lines);
    return lines.empty() ? "" : lines.front();
  }

  static void expect_match(const std::string& line, const std::string& pattern) {
    EXPECT_TRUE(matches(line, pattern)) << line << "\nis not\n" << pattern;
  }

  TemporaryDirectory directory_;
};

TEST_F(ConfigErrorsTest, AnUnknownKeyIsNamedWithItsPlaceAndTheNearestKnownOne) {
  expect_match(error_of("\n[timeouts]\n  idel_s = 3\n"),
               "^echod\\.toml:3:3: timeouts\\.idel_s: .*idle_s");
}

TEST_F(ConfigErrorsTest, AnUnknownSectionIsNamedWithTheNearestKnownOne) {
  expect_match(error_of("[timeout]\nidle_s = 3\n"), "echod\\.toml:1:[0-9]+: timeout: .*timeouts");
}

TEST_F(ConfigErrorsTest, AWrongTypeIsNamedWithWhatIsAllowed) {
  expect_match(error_of("[limits]\nmax_connections = \"many\"\n"),
               "echod\\.toml:2:[0-9]+: limits\\.max_connections: .*string.*; use 0 to 10000000");
  expect_match(error_of("[socket]\nno_delay = 1\n"),
               "echod\\.toml:2:[0-9]+: socket\\.no_delay: .*true or false");
}

TEST_F(ConfigErrorsTest, AValueOutOfRangeIsNamedWithTheRange) {
  expect_match(error_of("[[listen]]\nport = 70000\n"),
               "echod\\.toml:2:[0-9]+: listen\\.port: .*70000.*0 to 65535");
  expect_match(error_of("[timeouts]\nidle_s = 0.01\n"), "timeouts\\.idle_s: .*0\\.1 to ");
  expect_match(error_of("[log]\nfile_level = \"loud\"\n"), "log\\.file_level: .*trace, debug");
  expect_match(error_of("[[listen]]\naddress = \"localhost\"\n"), "listen\\.address: ");
}

TEST_F(ConfigErrorsTest, ADuplicateListenerIsNamed) {
  expect_match(
      error_of("[[listen]]\naddress = \"127.0.0.1\"\nport = 4000\n"
               "[[listen]]\naddress = \"127.0.0.1\"\nport = 4000\n"),
      "echod\\.toml:4:[0-9]+: listen: 127\\.0\\.0\\.1:4000 .*both have the same address and port");
}

TEST_F(ConfigErrorsTest, AllErrorsOfAFileAreReportedInTheirOrder) {
  const std::vector<std::string> lines =
      errors_of("[timeouts]\nidle_s = -1\ndrain = 3\n[log]\nqueue_lines = \"x\"\n[nonsense]\n");
  ASSERT_EQ(lines.size(), 4U) << testing::PrintToString(lines);
  expect_match(lines[0], "echod\\.toml:2:[0-9]+: timeouts\\.idle_s: ");
  expect_match(lines[1], "echod\\.toml:3:1: timeouts\\.drain: .*drain_s");
  expect_match(lines[2], "echod\\.toml:5:[0-9]+: log\\.queue_lines: ");
  expect_match(lines[3], "echod\\.toml:6:[0-9]+: nonsense: ");
}

TEST_F(ConfigErrorsTest, ASyntaxErrorIsReportedAlone) {
  expect_match(error_of("[timeouts]\nnonsense = 1\nidle_s = = 3\n"), "echod\\.toml:3:[0-9]+: ");
  expect_match(error_of("[[listen]\n"), "echod\\.toml:1:[0-9]+: ");
}

TEST_F(ConfigErrorsTest, AFileThatIsNotThereOrADirectoryIsUnreadable) {
  const ChildResult missing = run_echod({"--config", "missing.toml"}, directory_.path());
  EXPECT_EQ(missing.exit_code, EX_CONFIG);
  expect_match(missing.err, "missing\\.toml: .*No such file or directory");
  const ChildResult folder = run_echod({"--config", "."}, directory_.path());
  EXPECT_EQ(folder.exit_code, EX_CONFIG);
  expect_match(folder.err, "Is a directory");
}

TEST_F(ConfigErrorsTest, ADefaultFileThatCannotBeReachedIsNotTakenForNone) {
  if (!may_have_own_etc()) {
    GTEST_SKIP() << kNoOwnEtc;
  }
  using Words = std::vector<std::string>;
  const std::string file = directory_.file("echod.toml");
  const auto result_of = [this](const Words& options) {
    std::vector<std::string> command{ECHOD_BINARY};
    command.insert(command.end(), options.begin(), options.end());
    return run({.arguments = with_own_etc(directory_.path(), std::move(command))});
  };
  EXPECT_EQ(result_of({"--check-config"}).exit_code, 0);
  for (const char* const target : {"nowhere", "echod.toml"}) {
    std::filesystem::create_symlink(target, file);
    for (const Words& options :
         {Words{"--check-config"}, Words{"--dump-config"}, Words{"--port", "0"}}) {
      const ChildResult result = result_of(options);
      EXPECT_EQ(result.exit_code, EX_CONFIG) << target << ' ' << options.front();
      expect_match(result.err, "^echod: /etc/echod\\.toml: cannot be read: ");
    }
    std::filesystem::remove(file);
  }
}

TEST_F(ConfigErrorsTest, TheNameOfTheFileStaysOnOneLine) {
  write_file(directory_.file("a\nb.toml"), "nonsense = 1\n");
  const ChildResult bad = run_echod({"--config", "a\nb.toml"}, directory_.path());
  EXPECT_TRUE(bad.err.starts_with("a\\u000Ab.toml:1:1: nonsense: ")) << bad.err;
  const ChildResult missing = run_echod({"--config", "c\nd.toml"}, directory_.path());
  EXPECT_TRUE(missing.err.starts_with("echod: c\\u000Ad.toml: cannot be read: ")) << missing.err;
}

TEST_F(ConfigErrorsTest, WhatLooksLikeAConfigurationButIsNoneIsRefusedNotCrashedOn) {
  for (const std::string& text :
       {std::string("\0\0\0", 3), std::string("listen = 3\n"), std::string("listen = []\n"),
        std::string("[listen]\nport = 1\n"), std::string("\xff\xfe"), std::string("log = \"x\"\n"),
        std::string("[[log]]\n"), std::string("[limits]\nmax_connections = nan\n")}) {
    EXPECT_GE(errors_of(text).size(), 1U) << text;
  }
}

}  // namespace
}  // namespace echod::test
