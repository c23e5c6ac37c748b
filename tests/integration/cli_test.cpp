// The command line: what it prints, and with which code it ends.
#include <gtest/gtest.h>
#include <sysexits.h>

#include <csignal>

#include "daemon_test.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

constexpr int kUsage = 64;

TEST(CliTest, HelpNamesEveryOptionAndEndsWithZero) {
  const ChildResult result = run_echod({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  for (const char* const option :
       {"--config", "--check-config", "--reload", "--dump-config", "--address", "--port",
        "--log-file", "--log-level", "--stderr-level", "--quit-on-stdin", "--version", "--help"}) {
    EXPECT_NE(result.out.find(option), std::string::npos) << option;
  }
}

TEST(CliTest, HelpNamesEverySignalThatTheManualPageHas) {
  const std::string help = run_echod({"--help"}).out;
  const std::string page = read_file(ECHOD_SOURCE_DIR "/docs/man/echod.8");
  for (const std::string signal : {"TERM", "INT", "HUP", "USR1", "USR2"}) {
    EXPECT_TRUE(matches(help, "[ \n]" + signal + "[ ,]")) << signal;
    EXPECT_NE(page.find("SIG" + signal), std::string::npos) << signal;
  }
}

TEST(CliTest, VersionIsOneLine) {
  const ChildResult result = run_echod({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(matches(result.out, "^echod [0-9]+\\.[0-9]+\\.[0-9]+\n$")) << result.out;
}

TEST(CliTest, AMisuseIsOneLineOnStderrAndEndsWithUsage) {
  const std::vector<std::vector<std::string>> misuses{
      {"--nonsense"},
      {"-x"},
      {"stray"},
      {"--port"},
      {"--port", "65536"},
      {"--port", "-1"},
      {"--port", "http"},
      {"--address", "localhost"},
      {"--address", ""},
      {"--log-level", "loud"},
      {"--stderr-level", "DEBUG "},
      {"--config"},
      {"--check-config=maybe"},
      {"--reload", "none"},
  };
  for (const std::vector<std::string>& arguments : misuses) {
    const ChildResult result = run_echod(arguments);
    EXPECT_EQ(result.exit_code, kUsage) << arguments[0] << ' ' << arguments.back();
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
    EXPECT_TRUE(result.err.starts_with("echod: ")) << result.err;
  }
}

TEST(CliTest, CheckConfigNamesTheGoodFileCreatesNothingAndBindsNothing) {
  const TemporaryDirectory directory;
  const DaemonProcess holder;  // Has the port.
  write_file(directory.file("good.toml"),
             "[[listen]]\naddress = \"127.0.0.1\"\nport = " + std::to_string(holder.port()) +
                 "\n[log]\nfile = \"new.log\"\n");
  const ChildResult result =
      run_echod({"--check-config", "--config", "good.toml"}, directory.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "good.toml: valid\n");
  EXPECT_EQ(result.err, "");
  EXPECT_FALSE(std::filesystem::exists(directory.file("new.log")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(CliTest, AnEmptyValueAfterAnEqualsSignLeavesTheNextOptionAlone) {
  const TemporaryDirectory directory;
  write_file(directory.file("empty.toml"), "");
  const ChildResult result = run_echod(
      {"--config", "empty.toml", "--port=0", "--log-file=", "--check-config"}, directory.path());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "empty.toml: valid\n");
}

TEST(CliTest, ACheckAndADumpReadAPipeAndAStartRefusesIt) {
  const auto with_pipe = [](const std::string& option) {
    return run({.arguments = {"sh", "-c",
                              "echo '[turn]\nreads = 5' | \"$0\" --config /dev/stdin " + option,
                              ECHOD_BINARY}});
  };
  EXPECT_EQ(with_pipe("--check-config").out, "/dev/stdin: valid\n");
  EXPECT_NE(with_pipe("--dump-config").out.find("\nreads = 5\n"), std::string::npos);
  const ChildResult started = with_pipe("");
  EXPECT_EQ(started.exit_code, EX_CONFIG);
  EXPECT_NE(started.err.find("is a pipe"), std::string::npos) << started.err;
}

TEST(CliTest, CheckConfigWithoutAFileSaysThatTheDefaultsAreGood) {
  const bool has_file = std::filesystem::exists("/etc/echod.toml");
  const ChildResult result = run_echod({"--check-config"});
  if (has_file) {
    EXPECT_NE((result.out + result.err).find("/etc/echod.toml:"), std::string::npos);
  } else {
    EXPECT_EQ(result.out, "there is no /etc/echod.toml; the built-in defaults are valid\n");
  }
}

TEST(CliTest, CheckConfigOfABadFileEndsAsAStartWould) {
  const TemporaryDirectory directory;
  write_file(directory.file("bad.toml"), "nonsense = 1\n");
  const ChildResult checked =
      run_echod({"--check-config", "--config", "bad.toml"}, directory.path());
  const ChildResult started = run_echod({"--config", "bad.toml"}, directory.path());
  EXPECT_EQ(checked.exit_code, EX_CONFIG);
  EXPECT_EQ(started.exit_code, EX_CONFIG);
  EXPECT_EQ(checked.err, started.err);
}

TEST(CliTest, TheShippedConfigurationIsGood) {
  const ChildResult result =
      run_echod({"--check-config", "--config", ECHOD_SOURCE_DIR "/config/echod.toml"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(CliTest, ADumpLoadsBackToTheSameDump) {
  const TemporaryDirectory directory;
  write_file(directory.file("one.toml"),
             "[[listen]]\naddress = \"::1\"\nport = 0\nv6only = true\n[[listen]]\n"
             "address = \"127.0.0.1\"\nport = 7\nbacklog = 3\n[timeouts]\nidle_s = 0.5\n"
             "[log]\nfile = \"a \\\"quoted\\\" \\\\ name\"\nfile_level = \"off\"\n");
  const ChildResult first = run_echod({"--dump-config", "--config", "one.toml"}, directory.path());
  ASSERT_EQ(first.exit_code, 0) << first.err;
  write_file(directory.file("two.toml"), first.out);
  const ChildResult second = run_echod({"--dump-config", "--config", "two.toml"}, directory.path());
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(first.out, second.out);
  EXPECT_NE(first.out.find("idle_s = 0.5"), std::string::npos) << first.out;
}

TEST(CliTest, ADumpShowsWhatTheCommandLineOverrides) {
  const TemporaryDirectory directory;
  write_file(directory.file("empty.toml"), "");
  const ChildResult result = run_echod(
      {"--dump-config", "--config", "empty.toml", "--port", "4242", "--address", "127.0.0.1",
       "--log-file", "other.log", "--log-level", "warning", "--stderr-level", "trace"},
      directory.path());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* const line : {"port = 4242", "address = \"127.0.0.1\"", "file = \"other.log\"",
                                 "file_level = \"warning\"", "stderr_level = \"trace\""}) {
    EXPECT_NE(result.out.find(line), std::string::npos) << line << " is not in\n" << result.out;
  }
  EXPECT_FALSE(std::filesystem::exists(directory.file("other.log")));
}

class CliDaemonTest : public DaemonTest {};

TEST_F(CliDaemonTest, AnEmptyFileMeansTheDefaultsAndTheCommandLineOverridesThem) {
  start();
  EXPECT_EQ(daemon().listeners().size(), 1U);
  EXPECT_EQ(daemon().listeners()[0].host, "127.0.0.1");
  EXPECT_NE(daemon().port(), 2003);
  TcpPeer peer = connect();
  EXPECT_TRUE(peer.echoes("hello"));
}

}  // namespace
}  // namespace echod::test
