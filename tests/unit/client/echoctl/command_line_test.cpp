#include "client/echoctl/command_line.hpp"

#include <gtest/gtest.h>
#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "client/echoctl/option_table.hpp"
#include "text_match.hpp"

namespace echod::ctl {
namespace {

using Words = std::vector<std::string>;

ParsedCommandLine parsed(const Words& words) {
  std::vector<const char*> argv{"echoctl"};
  for (const std::string& word : words) {
    argv.push_back(word.c_str());
  }
  argv.push_back(nullptr);
  return parse_command_line(static_cast<int>(argv.size() - 1), argv.data());
}

Options options_of(const Words& words) {
  const ParsedCommandLine result = parsed(words);
  EXPECT_FALSE(result.is_final) << result.text;
  return result.options;
}

// The error message of a wrong command line, without the common prefix and suffix.
std::string misuse_of(const Words& words) {
  const std::string begin = "echoctl: ";
  const std::string end = "; see echoctl --help\n";
  const ParsedCommandLine result = parsed(words);
  EXPECT_TRUE(result.is_final);
  EXPECT_EQ(result.exit_code, EX_USAGE);
  EXPECT_TRUE(result.text.starts_with(begin) && result.text.ends_with(end)) << result.text;
  EXPECT_EQ(result.text.find('\n'), result.text.size() - 1) << result.text;
  return result.text.size() < begin.size() + end.size()
             ? result.text
             : result.text.substr(begin.size(), result.text.size() - begin.size() - end.size());
}

TEST(CtlCommandLineTest, EachCommandHasItsName) {
  for (const CommandRow& row : all_commands()) {
    Words words{row.name};
    if (row.command == Command::close) {
      words.emplace_back("0-1-2");
    }
    EXPECT_EQ(options_of(words).command, row.command);
    EXPECT_STREQ(name_of(row.command), row.name);
  }
}

TEST(CtlCommandLineTest, TheDefaultsAreThoseOfTheManualPage) {
  const Options options = options_of({"status"});
  EXPECT_EQ(options.socket, "/run/echod/admin.sock");
  EXPECT_EQ(options.timeout, std::chrono::seconds(5));
  EXPECT_EQ(options.interval, std::chrono::seconds(2));
  EXPECT_FALSE(options.wants_json);
  EXPECT_FALSE(options.count);
}

TEST(CtlCommandLineTest, OptionsMayStandBeforeAndAfterTheCommand) {
  EXPECT_EQ(options_of({"--socket", "/x", "status"}).socket, "/x");
  EXPECT_EQ(options_of({"status", "--socket=/x"}).socket, "/x");
  EXPECT_TRUE(options_of({"--json", "status"}).wants_json);
  EXPECT_EQ(options_of({"close", "--timeout", "100ms", "0-1-2"}).timeout,
            std::chrono::milliseconds(100));
}

TEST(CtlCommandLineTest, ConnectionsAreFilteredSortedAndPaged) {
  const Options options =
      options_of({"connections", "--network", "192.0.2.0/24", "--state", "flushing", "--worker",
                  "3", "--sort", "owed", "--limit", "1k", "--offset", "9000", "--bytes"});
  EXPECT_EQ(options.network, "192.0.2.0/24");
  EXPECT_EQ(options.state, "flushing");
  EXPECT_EQ(options.worker, 3U);
  EXPECT_EQ(options.sort, "owed");
  EXPECT_EQ(options.limit, 1000U);
  EXPECT_EQ(options.offset, 9000U);
  EXPECT_TRUE(options.wants_bytes);
}

TEST(CtlCommandLineTest, ALevelAndItsPlace) {
  EXPECT_EQ(options_of({"log-level"}).level, "");
  const Options options = options_of({"log-level", "debug", "--stderr"});
  EXPECT_EQ(options.level, "debug");
  EXPECT_TRUE(options.is_for_stderr);
  EXPECT_FALSE(options.is_for_file);
}

TEST(CtlCommandLineTest, TopHasAnIntervalAndAnEnd) {
  const Options options = options_of({"top", "--interval", "500ms", "--count", "3"});
  EXPECT_EQ(options.interval, std::chrono::milliseconds(500));
  EXPECT_EQ(options.count, 3U);
}

TEST(CtlCommandLineTest, AnUpgradeMayBeForced) {
  EXPECT_FALSE(options_of({"upgrade"}).is_forced);
  EXPECT_TRUE(options_of({"upgrade", "--force"}).is_forced);
  EXPECT_TRUE(options_of({"upgrade", "--json"}).wants_json);
}

TEST(CtlCommandLineTest, WithoutACommandTheErrorNamesThemAll) {
  const std::string list =
      "status, top, connections, close, log-level, metrics, health, ready, drain or upgrade";
  EXPECT_EQ(misuse_of({}), "no command given: " + list);
  EXPECT_EQ(misuse_of({"--json"}), "no command given: " + list);
  EXPECT_EQ(misuse_of({"stat"}), "\"stat\" is not a command: " + list);
  EXPECT_EQ(misuse_of({""}), "\"\" is not a command: " + list);
}

TEST(CtlCommandLineTest, AnOptionOfAnotherCommandIsAMisuse) {
  for (const CommandRow& row : all_commands()) {
    for (const Option& option : all_options()) {
      if (option.commands.has(row.command) || row.command == Command::close) {
        continue;
      }
      Words words{row.name, std::string("--") + option.name};
      if (option.value != nullptr) {
        const std::string name = option.name;
        words.emplace_back(name == "state"      ? "echoing"
                           : name == "sort"     ? "age"
                           : name == "interval" ? "1s"
                                                : "1");
      }
      EXPECT_EQ(misuse_of(words), std::string("--") + option.name + " is no option of " + row.name);
    }
  }
}

TEST(CtlCommandLineTest, AWrongValueIsNamedWithWhatIsAllowed) {
  const std::vector<std::pair<std::string, Words>> wrong{
      {"socket", {""}},
      {"timeout", {"", "0", "-1s", "25x", "1441m"}},
      {"network", {""}},
      {"state", {"", "Echoing", "open"}},
      {"worker", {"", "-1", "1.5", "1025"}},
      {"sort", {"", "bytes,age"}},
      {"limit", {"0", "1001", "x"}},
      {"offset", {"-1", "10000"}},
      {"interval", {"0", "99ms"}},
      {"count", {"0"}},
  };
  for (const auto& [name, values] : wrong) {
    const auto option = std::ranges::find_if(
        all_options(), [&, &wanted = name](const Option& one) { return one.name == wanted; });
    for (const std::string& value : values) {
      const std::string expected =
          "--" + name + ": \"" + value + "\" given; use " + option->expects;
      EXPECT_EQ(misuse_of({"connections", "--" + name, value}), expected);
      EXPECT_EQ(misuse_of({"connections", "--" + name + '=' + value}), expected);
    }
  }
}

TEST(CtlCommandLineTest, OtherMisusesAreExplained) {
  EXPECT_EQ(misuse_of({"status", "--nonsense"}), "unknown option --nonsense");
  EXPECT_EQ(misuse_of({"status", "-x"}), "unknown option -x");
  EXPECT_EQ(misuse_of({"status", "--socket"}), "--socket needs a value");
  EXPECT_EQ(misuse_of({"status", "--json=yes"}), "--json takes no value");
  EXPECT_EQ(misuse_of({"status", "now"}), "unexpected argument \"now\"");
  EXPECT_EQ(misuse_of({"close", "1", "2"}), "unexpected argument \"2\"");
  EXPECT_EQ(misuse_of({"close"}),
            "nothing to close: give an ID (see echoctl connections) or --network");
  EXPECT_EQ(misuse_of({"close", ""}), "\"\" is not the ID of a connection");
  EXPECT_EQ(misuse_of({"close", "1-2-3", "--network", "::/0"}),
            "close takes an ID or --network, not both");
  EXPECT_EQ(misuse_of({"log-level", "loud"}),
            "\"loud\" is not a level: trace, debug, info, warning, error, critical or off");
  EXPECT_EQ(misuse_of({"log-level", "--stderr"}),
            "no level given: trace, debug, info, warning, error, critical or off");
  EXPECT_EQ(misuse_of({"connections", "--limit", "1000", "--offset", "9001"}),
            "--offset and --limit together are over 10000: use --network, --state or --worker");
  EXPECT_EQ(misuse_of({"sta\ntus"}).find('\n'), std::string::npos);
}

TEST(CtlCommandLineTest, VersionIsOneLine) {
  const ParsedCommandLine result = parsed({"--version"});
  EXPECT_TRUE(result.is_final);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(test::matches(result.text, "^echoctl [0-9]+\\.[0-9]+\\.[0-9]+\n$")) << result.text;
}

TEST(CtlCommandLineTest, HelpNamesEveryCommandAndOptionAndFits80Columns) {
  const ParsedCommandLine result = parsed({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(parsed({"-h"}).text, result.text);
  EXPECT_EQ(parsed({"top", "--help"}).text, result.text);
  for (const CommandRow& row : all_commands()) {
    EXPECT_NE(result.text.find(std::string("\n  ") + row.name + ' '), std::string::npos)
        << row.name;
  }
  for (const Option& option : all_options()) {
    EXPECT_NE(result.text.find(std::string("\n  --") + option.name + ' '), std::string::npos)
        << option.name;
  }
  std::istringstream lines(result.text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

}  // namespace
}  // namespace echod::ctl
