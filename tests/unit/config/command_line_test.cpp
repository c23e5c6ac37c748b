#include "config/command_line.hpp"

#include <gtest/gtest.h>
#include <sysexits.h>

#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

namespace echod {
namespace {

ParsedCommandLine parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> argv{"echod"};
  argv.insert(argv.end(), arguments);
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

CommandLine options(std::initializer_list<const char*> arguments) {
  const ParsedCommandLine parsed = parse(arguments);
  EXPECT_FALSE(parsed.is_final) << parsed.text;
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_EQ(parsed.text, "");
  return parsed.options;
}

// The text of a usage error, without the common prefix and suffix.
std::string usage_error(std::initializer_list<const char*> arguments) {
  const std::string begin = "echod: ";
  const std::string end = "; see echod --help\n";
  const ParsedCommandLine parsed = parse(arguments);
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, EX_USAGE);
  EXPECT_TRUE(parsed.text.starts_with(begin) && parsed.text.ends_with(end)) << parsed.text;
  EXPECT_EQ(parsed.text.find('\n'), parsed.text.size() - 1) << parsed.text;
  return parsed.text.substr(begin.size(), parsed.text.size() - begin.size() - end.size());
}

TEST(CommandLine, SetsNothingIfItIsEmpty) {
  const CommandLine none = options({});
  EXPECT_EQ(none.config_file, std::nullopt);
  EXPECT_FALSE(none.check_config || none.dump_config || none.quit_on_stdin);
  EXPECT_FALSE(none.address || none.port || none.log_file || none.file_level || none.stderr_level);
}

TEST(CommandLine, AcceptsEveryOption) {
  const CommandLine all = options({"--config", "x.toml", "--check-config", "--address", "::1",
                                   "--port", "7", "--log-file", "x.log", "--log-level", "trace",
                                   "--stderr-level", "off", "--quit-on-stdin"});
  EXPECT_EQ(all.config_file, "x.toml");
  EXPECT_TRUE(all.check_config);
  EXPECT_FALSE(all.dump_config);
  EXPECT_TRUE(all.quit_on_stdin);
  EXPECT_EQ(all.address, "::1");
  EXPECT_EQ(all.port, 7);
  EXPECT_EQ(all.log_file, "x.log");
  EXPECT_EQ(all.file_level, LogLevel::trace);
  EXPECT_EQ(all.stderr_level, LogLevel::off);
  EXPECT_TRUE(options({"--dump-config"}).dump_config);
}

TEST(CommandLine, AcceptsTheProcessToReload) {
  EXPECT_EQ(options({}).reload, std::nullopt);
  EXPECT_EQ(options({"--reload", "4711"}).reload, 4711);
  for (const char* pid : {"0", "-1", "", "x", "1x", "99999999999"}) {
    EXPECT_EQ(usage_error({"--reload", pid}),
              "--reload: \"" + std::string(pid) + "\" given; use a process ID");
  }
}

// They would have no effect: the running process has its own options.
TEST(CommandLine, RefusesOtherOptionsBesideReload) {
  for (const char* other : {"--config=x", "--check-config", "--dump-config", "--port=7",
                            "--log-file=x", "--quit-on-stdin"}) {
    const std::string name = std::string(other).substr(0, std::string(other).find('='));
    EXPECT_EQ(usage_error({"--reload", "1", other}), name + " excludes --reload");
  }
}

TEST(CommandLine, AcceptsValuesAfterAnEqualsSign) {
  EXPECT_EQ(options({"--port=0"}).port, 0);
  EXPECT_EQ(options({"--config=/a=b"}).config_file, "/a=b");
}

TEST(CommandLine, AcceptsAnEmptyValueAfterAnEqualsSign) {
  const CommandLine given = options({"--log-file=", "--check-config", "--port=1"});
  EXPECT_EQ(given.log_file, "");
  EXPECT_TRUE(given.check_config);
  EXPECT_EQ(given.port, 1);
  EXPECT_EQ(options({"--log-file="}).log_file, "");
  for (const char* option : {"--config", "--address", "--port", "--log-level", "--stderr-level"}) {
    const std::string error = usage_error({(std::string(option) + '=').c_str(), "--check-config"});
    EXPECT_TRUE(error.starts_with(std::string(option) + ": \"\" ")) << error;
  }
}

TEST(CommandLine, KeepsValuesUnchanged) {
  EXPECT_EQ(options({"--log-file", ""}).log_file, "");
  EXPECT_EQ(options({"--log-file", "[a,b]"}).log_file, "[a,b]");
  EXPECT_EQ(options({"--log-file", "{}"}).log_file, "{}");
  EXPECT_EQ(options({"--log-file", "a b \"c\""}).log_file, "a b \"c\"");
}

TEST(CommandLine, PrintsItsVersion) {
  const ParsedCommandLine parsed = parse({"--version"});
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_EQ(parsed.text, "echod 0.1.0\n");
}

TEST(CommandLine, HelpNamesEveryOptionAndExitCodeWithin80Columns) {
  const ParsedCommandLine parsed = parse({"--help"});
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, 0);
  for (const char* part :
       {"--config FILE", "--check-config", "--reload PID", "--dump-config", "--address A",
        "--port P", "--log-file F", "--log-level L", "--stderr-level L", "--quit-on-stdin",
        "--version", "--help", "\n   0  ", "\n  64  ", "\n  69  ", "\n  70  ", "\n  71  ",
        "\n  77  ", "\n  78  "}) {
    EXPECT_NE(parsed.text.find(part), std::string::npos) << part;
  }
  std::istringstream text(parsed.text);
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(CommandLine, HelpHasPriorityOverOtherOptions) {
  EXPECT_EQ(parse({"--version", "--port", "x", "--help"}).text, parse({"--help"}).text);
  EXPECT_EQ(parse({"-h"}).text, parse({"--help"}).text);
}

TEST(CommandLine, RefusesUnknownOptionsAndArguments) {
  EXPECT_EQ(usage_error({"--bogus"}), "unknown option --bogus");
  EXPECT_EQ(usage_error({"-x"}), "unknown option -x");
  EXPECT_EQ(usage_error({"--por", "7"}), "unknown option --por");
  EXPECT_EQ(usage_error({"7"}), "unexpected argument 7");
  EXPECT_EQ(usage_error({"--check-config", "yes"}), "unexpected argument yes");
  EXPECT_EQ(usage_error({"a\nb\x1B"}), "unexpected argument a\\u000Ab\\u001B");
}

TEST(CommandLine, RefusesAnOptionWithoutItsValue) {
  for (const char* option :
       {"--config", "--address", "--port", "--log-file", "--log-level", "--stderr-level"}) {
    EXPECT_EQ(usage_error({option}), std::string(option) + " needs a value");
  }
}

TEST(CommandLine, RefusesAValueOfAFlag) {
  for (const char* option :
       {"--check-config", "--dump-config", "--quit-on-stdin", "--version", "--help"}) {
    EXPECT_EQ(usage_error({(std::string(option) + "=no").c_str()}),
              std::string(option) + ": takes no value");
    EXPECT_EQ(usage_error({(std::string(option) + '=').c_str()}), "unexpected argument \"\"");
  }
}

TEST(CommandLine, RefusesAnEmptyConfigurationName) {
  EXPECT_EQ(usage_error({"--config", ""}), "--config: \"\" given; use the name of a file");
  EXPECT_EQ(usage_error({"--config=", "--version"}), usage_error({"--config", ""}));
}

TEST(CommandLine, RefusesAnOptionGivenTwice) {
  EXPECT_EQ(usage_error({"--port", "1", "--port", "2"}), "--port is given 2 times; give it once");
  EXPECT_EQ(usage_error({"--quit-on-stdin", "--quit-on-stdin", "--quit-on-stdin"}),
            "--quit-on-stdin is given 3 times; give it once");
}

TEST(CommandLine, RefusesCheckAndDumpTogether) {
  const std::string error = usage_error({"--check-config", "--dump-config"});
  EXPECT_NE(error.find("--check-config"), std::string::npos) << error;
  EXPECT_NE(error.find("--dump-config"), std::string::npos) << error;
}

TEST(CommandLine, RefusesValuesAsTheConfigurationDoes) {
  EXPECT_EQ(usage_error({"--port", "70000"}), "--port: 70000 is out of range; use 0 to 65535");
  EXPECT_EQ(usage_error({"--port", "-1"}), "--port: -1 is out of range; use 0 to 65535");
  EXPECT_EQ(usage_error({"--port", "http"}),
            "--port: \"http\" given instead of an integer; use 0 to 65535");
  EXPECT_EQ(usage_error({"--port", "7x"}),
            "--port: \"7x\" given instead of an integer; use 0 to 65535");
  EXPECT_EQ(usage_error({"--address", "localhost"}),
            "--address: \"localhost\" is not an IP address; use IP addresses such as "
            "\"::\" or \"192.0.2.1\"");
  EXPECT_EQ(usage_error({"--log-file", "a\nb"}),
            "--log-file: \"a\\u000Ab\" holds a control character; use paths, or \"\" for "
            "none");
  EXPECT_EQ(usage_error({"--log-level", "loud"}),
            "--log-level: \"loud\" is not a log level; use trace, debug, info, warning, "
            "error, critical or off");
  EXPECT_EQ(usage_error({"--stderr-level", ""}),
            "--stderr-level: \"\" is not a log level; use trace, debug, info, warning, "
            "error, critical or off");
}

}  // namespace
}  // namespace echod
