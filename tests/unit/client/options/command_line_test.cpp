#include "client/options/command_line.hpp"

#include <gtest/gtest.h>
#include <sysexits.h>

#include <sstream>
#include <string>
#include <vector>

#include "client/options/option_table.hpp"
#include "client/text/moments.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Words = std::vector<std::string>;

ParsedCommandLine parse(const Words& words) {
  std::vector<const char*> argv{"echoload"};
  for (const std::string& word : words) {
    argv.push_back(word.c_str());
  }
  argv.push_back(nullptr);
  return parse_command_line(static_cast<int>(argv.size() - 1), argv.data());
}

Options options(const Words& words) {
  const ParsedCommandLine parsed = parse(words);
  EXPECT_FALSE(parsed.is_final) << parsed.text;
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_EQ(parsed.text, "");
  return parsed.options;
}

// Parses a run with a server.
Options run_with(Words words) {
  words.emplace_back("localhost:2003");
  return options(words);
}

// The error message of a wrong command line, without the common prefix and suffix.
std::string usage_error(const Words& words) {
  const std::string begin = "echoload: ";
  const std::string end = "; see echoload --help\n";
  const ParsedCommandLine parsed = parse(words);
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, EX_USAGE);
  EXPECT_TRUE(parsed.text.starts_with(begin) && parsed.text.ends_with(end)) << parsed.text;
  EXPECT_EQ(parsed.text.find('\n'), parsed.text.size() - 1) << parsed.text;
  if (parsed.text.size() < begin.size() + end.size()) {
    return parsed.text;
  }
  return parsed.text.substr(begin.size(), parsed.text.size() - begin.size() - end.size());
}

std::string error_with(Words words) {
  words.emplace_back("localhost:2003");
  return usage_error(words);
}

TEST(ClientCommandLineTest, WithAnEmptyValueAfterAnEqualsSignDoesNotTakeTheNextArgument) {
  for (const Option& option : all_options()) {
    const std::string name = std::string("--") + option.name;
    const Words words{option.scope == OptionScope::check ? "check" : "run", name + '=',
                      "--timeout=1s"};
    const std::string expected = option.value == nullptr
                                     ? name + " takes no value"
                                     : name + ": \"\" given; use " + option.expects;
    EXPECT_EQ(error_with(words), expected);
  }
}

TEST(ClientCommandLineTest, AServerAloneGivesARunWithTheDefaults) {
  const Options none = options({"localhost:2003"});
  EXPECT_EQ(none.command, Command::run);
  EXPECT_EQ(none.host, "localhost");
  EXPECT_EQ(none.port, 2003);
  EXPECT_EQ(none.plan.mode, LoadMode::echo);
  EXPECT_EQ(none.plan.connections, 64U);
  EXPECT_EQ(none.plan.active, 64U);
  EXPECT_EQ(none.plan.sizes.smallest, 64U);
  EXPECT_EQ(none.plan.sizes.largest, 64U);
  EXPECT_EQ(none.plan.depth, 1U);
  EXPECT_EQ(none.plan.threads, 1U);
  EXPECT_EQ(none.plan.rate_per_s, std::nullopt);
  EXPECT_EQ(none.plan.messages, std::nullopt);
  EXPECT_EQ(none.plan.connect_rate_per_s, std::nullopt);
  EXPECT_EQ(none.plan.warmup, seconds(1));
  EXPECT_EQ(none.plan.duration, seconds(10));
  EXPECT_EQ(none.plan.timeout, seconds(5));
  EXPECT_EQ(none.plan.server_pid, std::nullopt);
  EXPECT_TRUE(none.plan.sources.empty());
  EXPECT_EQ(none.max_errors, 0U);
  EXPECT_TRUE(none.limits.empty());
  EXPECT_EQ(none.json_file, std::nullopt);
  EXPECT_EQ(none.histogram_file, std::nullopt);
  EXPECT_EQ(none.html_file, std::nullopt);
  EXPECT_EQ(none.plan.interval, seconds(1));
  EXPECT_FALSE(none.given.interval.has_value());
  EXPECT_EQ(options({"run", "localhost:2003"}).command, Command::run);
}

TEST(ClientCommandLineTest, ModeStreamHasItsOwnDefaults) {
  const Options stream = run_with({"--mode", "stream"});
  EXPECT_EQ(stream.plan.mode, LoadMode::stream);
  EXPECT_EQ(stream.plan.sizes.smallest, 65536U);
  EXPECT_EQ(stream.plan.sizes.largest, 65536U);
  EXPECT_EQ(stream.plan.depth, 16U);
  const Options other = run_with({"--size", "1k", "--depth=2", "--mode=stream"});
  EXPECT_EQ(other.plan.sizes.largest, 1024U);
  EXPECT_EQ(other.plan.depth, 2U);
}

TEST(ClientCommandLineTest, ModeConnectHasTheDefaultsOfModeEcho) {
  const Options connect = run_with({"--mode", "connect"});
  EXPECT_EQ(connect.plan.mode, LoadMode::connect);
  EXPECT_EQ(connect.plan.connections, 64U);
  EXPECT_EQ(connect.plan.sizes.largest, 64U);
  EXPECT_EQ(connect.plan.depth, 1U);
}

TEST(ClientCommandLineTest, ACheckHasFortyConnectionsInParallel) {
  const Options check = options({"check", "localhost:2003"});
  EXPECT_EQ(check.command, Command::check);
  EXPECT_EQ(check.plan.connections, 40U);
  EXPECT_EQ(check.plan.timeout, seconds(5));
  EXPECT_FALSE(check.is_verbose);
  EXPECT_FALSE(check.wants_json);
  const Options all = options({"check", "--connections", "7", "--timeout=2s", "--seed", "5",
                               "--json", "--verbose", "localhost:2003"});
  EXPECT_EQ(all.plan.connections, 7U);
  EXPECT_EQ(all.plan.timeout, seconds(2));
  EXPECT_EQ(all.plan.seed, 5U);
  EXPECT_TRUE(all.is_verbose);
  EXPECT_TRUE(all.wants_json);
}

TEST(ClientCommandLineTest, AMergeTakesFilesAndTheOptionsOfAReport) {
  const Options merge =
      options({"merge", "a.json", "--slo", "p99=2ms", "--json=-", "b.json", "--histogram", "h"});
  EXPECT_EQ(merge.command, Command::merge);
  EXPECT_EQ(merge.files, (Words{"a.json", "b.json"}));
  EXPECT_EQ(merge.limits.size(), 1U);
  EXPECT_EQ(merge.json_file, "-");
  EXPECT_EQ(merge.histogram_file, "h");
  EXPECT_EQ(usage_error({"merge"}), "no files given: results of echoload run --json");
  EXPECT_EQ(usage_error({"merge", "--rate", "5", "a.json"}), "unknown option --rate of merge");
  EXPECT_EQ(usage_error({"merge", "--timeout", "5", "a.json"}),
            "unknown option --timeout of merge");
}

TEST(ClientCommandLineTest, ARateMayGoUpInSteps) {
  const LoadPlan plan = run_with({"--rate", "1k:2.6k:500@5s"}).plan;
  EXPECT_EQ(plan.rate_per_s, 1000);
  EXPECT_EQ(plan.steps.rates_per_s, (std::vector<double>{1000, 1500, 2000, 2500}));
  EXPECT_EQ(plan.steps.time, seconds(5));
  EXPECT_EQ(plan.duration, seconds(20));
  EXPECT_EQ(run_with({"--rate", "0.1:0.3:0.1@10"}).plan.steps.rates_per_s.size(), 3U);
  EXPECT_EQ(run_with({"--rate", "5:5:1@1s"}).plan.steps.rates_per_s, std::vector<double>{5});
  EXPECT_EQ(run_with({"--rate", "1:100:1@1s"}).plan.steps.rates_per_s.size(), 100U);
  const LoadPlan last = run_with({"--rate", "1:9:1@1s", "--rate", "7"}).plan;
  EXPECT_TRUE(last.steps.rates_per_s.empty());
  EXPECT_EQ(last.rate_per_s, 7);
  EXPECT_EQ(last.duration, seconds(10));
}

TEST(ClientCommandLineTest, InvalidStepsAreRefused) {
  for (const char* const value :
       {"1:2", "1:2@5s", "1:2:1", "1:2:1@", "1:2:1@0", "1:2:0@1s", "2:1:1@1s", ":2:1@1s", "1::1@1s",
        "1:2:@1s", "::@", ":", "@", "1:2@1:1s", "1:101:1@1s", "1:2:1@1s:", "1:2:1:1@1s", "x:2:1@1s",
        "1@1s"}) {
    EXPECT_EQ(error_with({"--rate", value}),
              "--rate: \"" + std::string(value) +
                  "\" given; use messages per second, such as 500 or 20k, or up to 100 "
                  "steps, such as 1k:10k:1k@5s");
  }
  for (const char* const option : {"--duration", "--messages"}) {
    EXPECT_EQ(error_with({"--rate", "1:2:1@1s", option, "5"}),
              "--rate with steps says how long each takes: --duration and --messages do not apply");
  }
}

TEST(ClientCommandLineTest, ArrivalsOfAnOpenLoopAreConstantOrPoisson) {
  EXPECT_EQ(run_with({"--rate", "5"}).plan.arrivals, Arrivals::constant);
  EXPECT_EQ(run_with({"--rate", "5", "--arrivals", "constant"}).plan.arrivals, Arrivals::constant);
  EXPECT_EQ(run_with({"--rate", "5", "--arrivals", "poisson"}).plan.arrivals, Arrivals::poisson);
  EXPECT_EQ(error_with({"--rate", "5", "--arrivals", "normal"}),
            "--arrivals: \"normal\" given; use constant or poisson");
  EXPECT_EQ(error_with({"--arrivals", "poisson"}),
            "--arrivals is about an open loop: give --rate too");
}

TEST(ClientCommandLineTest, StartAtTakesADateSecondsSinceTheEpochOrADelay) {
  const Moment now = std::chrono::system_clock::now();
  const Moment soon = std::chrono::ceil<seconds>(now + std::chrono::hours(1));
  EXPECT_EQ(run_with({"--start-at", moment_text(soon)}).plan.start_at, soon);
  const auto count = std::chrono::duration_cast<seconds>(soon.time_since_epoch()).count();
  EXPECT_EQ(run_with({"--start-at", std::to_string(count)}).plan.start_at, soon);
  const auto relative = run_with({"--start-at", "+90m"}).plan.start_at;
  ASSERT_TRUE(relative);
  EXPECT_GE(*relative, now + std::chrono::minutes(90));
  EXPECT_LE(*relative, std::chrono::system_clock::now() + std::chrono::minutes(90));
  EXPECT_EQ(run_with({}).plan.start_at, std::nullopt);
}

TEST(ClientCommandLineTest, StartAtRefusesThePastAndInvalidTimes) {
  const std::string past = error_with({"--start-at", "2026-11-21T09:30:00+01:00"});
  EXPECT_TRUE(past.starts_with("--start-at 2026-11-21T08:30:00.000000000Z is past: it is 20"))
      << past;
  for (const char* const value : {"noon", "+", "+-1", "-10s", "10s", "2261-01-01T00:00:00Z"}) {
    EXPECT_EQ(error_with({"--start-at", value}),
              "--start-at: \"" + std::string(value) +
                  "\" given; use a moment within a year, such as 2026-11-21T09:30:00Z, "
                  "1795253400 or +10s");
  }
}

TEST(ClientCommandLineTest, TakesEveryOptionOfARun) {
  const Options all =
      options({"--connections", "10k",   "--active",     "1k",        "--size",        "1-64k",
               "--depth",       "8",     "--rate",       "1.5M",      "--threads",     "4",
               "--duration",    "30s",   "--warmup",     "0",         "--timeout",     "500ms",
               "--ramp",        "5",     "--source",     "127.0.0.2", "--source",      "::1",
               "--server-pid",  "17",    "--max-errors", "3",         "--slo",         "p99=2ms",
               "--slo",         "max=1", "--json",       "-",         "--histogram",   "x y.hgrm",
               "--messages",    "2M",    "--mode",       "echo",      "echo.example:7"});
  EXPECT_EQ(all.host, "echo.example");
  EXPECT_EQ(all.port, 7);
  EXPECT_EQ(all.plan.connections, 10'000U);
  EXPECT_EQ(all.plan.active, 1000U);
  EXPECT_EQ(all.plan.sizes.smallest, 1U);
  EXPECT_EQ(all.plan.sizes.largest, 65536U);
  EXPECT_EQ(all.plan.depth, 8U);
  EXPECT_EQ(all.plan.rate_per_s, 1'500'000);
  EXPECT_EQ(all.plan.messages, 2'000'000U);
  EXPECT_EQ(all.plan.threads, 4U);
  EXPECT_EQ(all.plan.duration, seconds(30));
  EXPECT_EQ(all.plan.warmup, seconds(0));
  EXPECT_EQ(all.plan.timeout, milliseconds(500));
  EXPECT_EQ(all.plan.connect_rate_per_s, 2000) << "10 000 in 5 s";
  ASSERT_EQ(all.plan.sources.size(), 2U);
  EXPECT_EQ(all.plan.sources[0].text(), "127.0.0.2:0");
  EXPECT_EQ(all.plan.sources[1].text(), "[::1]:0");
  EXPECT_EQ(all.plan.server_pid, 17);
  EXPECT_EQ(all.max_errors, 3U);
  ASSERT_EQ(all.limits.size(), 2U);
  EXPECT_EQ(all.limits[0].text, "p99=2ms");
  EXPECT_EQ(all.limits[0].percent, 99);
  EXPECT_EQ(all.limits[0].most, milliseconds(2));
  EXPECT_EQ(all.limits[1].percent, 100);
  EXPECT_EQ(all.limits[1].most, seconds(1));
  EXPECT_EQ(all.json_file, "-");
  EXPECT_EQ(all.histogram_file, "x y.hgrm");
  EXPECT_EQ(run_with({"--connect-rate", "1k"}).plan.connect_rate_per_s, 1000);
}

TEST(ClientCommandLineTest, TakesOptionsBeforeAndAfterTheServer) {
  const Options mixed = options({"--depth", "2", "localhost:2003", "--threads", "3"});
  EXPECT_EQ(mixed.host, "localhost");
  EXPECT_EQ(mixed.plan.depth, 2U);
  EXPECT_EQ(mixed.plan.threads, 3U);
  EXPECT_EQ(options({"--depth", "2", "--", "localhost:2003"}).plan.depth, 2U);
}

TEST(ClientCommandLineTest, TakesTheLastOfAnOptionGivenTwice) {
  EXPECT_EQ(run_with({"--depth", "2", "--depth", "3"}).plan.depth, 3U);
}

TEST(ClientCommandLineTest, TakesBothEndsOfEveryRange) {
  EXPECT_EQ(run_with({"--connections", "1"}).plan.connections, 1U);
  EXPECT_EQ(run_with({"--connections", "10M"}).plan.connections, 10'000'000U);
  EXPECT_EQ(run_with({"--active", "0"}).plan.active, 0U);
  EXPECT_EQ(run_with({"--size", "1"}).plan.sizes.smallest, 1U);
  EXPECT_EQ(run_with({"--size", "64M"}).plan.sizes.largest, 64U << 20U);
  EXPECT_EQ(run_with({"--depth", "65536"}).plan.depth, 65536U);
  EXPECT_EQ(run_with({"--connections", "256", "--threads", "256"}).plan.threads, 256U);
  EXPECT_EQ(run_with({"--duration", "1ms"}).plan.duration, milliseconds(1));
  EXPECT_EQ(run_with({"--slo", "p99.99=1us"}).limits[0].percent, 99.99);
  EXPECT_EQ(run_with({"--slo", "p0.1=1us"}).limits[0].percent, 0.1);
}

TEST(ClientCommandLineTest, SloTakesLimitsOnTheRateAndOnErrors) {
  const Options limited = run_with({"--slo", "rate>=9.9k", "--slo=errors<=5"});
  ASSERT_EQ(limited.limits.size(), 2U);
  EXPECT_EQ(limited.limits[0].kind, Limit::Kind::rate);
  EXPECT_EQ(limited.limits[0].number, 9900);
  EXPECT_EQ(limited.limits[1].kind, Limit::Kind::errors);
  EXPECT_EQ(limited.limits[1].number, 5);
}

TEST(ClientCommandLineTest, TheSeriesOfALongRunHasLongerIntervalsUnlessTheyAreGiven) {
  EXPECT_EQ(run_with({"--duration", "60m"}).plan.interval, seconds(1));
  EXPECT_EQ(run_with({"--duration", "61m"}).plan.interval, seconds(2));
  EXPECT_EQ(run_with({"--duration", "1440m"}).plan.interval, seconds(24));
  EXPECT_EQ(run_with({"--rate", "1k:2k:1k@61m"}).plan.interval, seconds(3)) << "two steps";
  const Options given = run_with({"--duration", "61m", "--interval", "100ms"});
  EXPECT_EQ(given.plan.interval, milliseconds(100));
  EXPECT_TRUE(given.given.interval.has_value());
}

TEST(ClientCommandLineTest, WithMessagesThereIsNoWarmUp) {
  EXPECT_EQ(run_with({"--rate", "1k", "--messages", "1000"}).plan.warmup, seconds(0));
  const Options warmed = run_with({"--rate", "1k", "--messages", "1001", "--warmup", "1s"});
  EXPECT_EQ(warmed.plan.warmup, seconds(1));
  EXPECT_EQ(error_with({"--rate", "1k", "--messages", "1000", "--warmup", "1s"}),
            "all --messages are due within the --warmup: nothing would be measured");
}

TEST(ClientCommandLineTest, TakesTimesUpToAYear) {
  EXPECT_EQ(run_with({"--timeout", "31536000"}).plan.timeout, std::chrono::hours(24 * 365));
}

TEST(ClientCommandLineTest, ThereAreAtMostAsManyThreadsAsConnections) {
  EXPECT_EQ(run_with({"--connections", "2", "--threads", "8"}).plan.threads, 2U);
}

// Servers.

struct Target {
  const char* text;
  const char* host;
  std::uint16_t port;
};

TEST(ClientCommandLineTest, TakesNamesAndAddressesOfBothFamilies) {
  for (const Target& target :
       {Target{"localhost:1", "localhost", 1}, Target{"192.0.2.1:65535", "192.0.2.1", 65535},
        Target{"[::1]:2003", "::1", 2003}, Target{"[fe80::1%eth0]:7", "fe80::1%eth0", 7},
        Target{"a.b-c_d:0007", "a.b-c_d", 7}, Target{"run:7", "run", 7}}) {
    const Options parsed = options({"run", target.text});
    EXPECT_EQ(parsed.host, target.host);
    EXPECT_EQ(parsed.port, target.port);
  }
}

TEST(ClientCommandLineTest, TheSchemeOfTcpMayBeGiven) {
  const Options parsed = options({"check", "tcp://[::1]:2003"});
  EXPECT_EQ(parsed.target, "tcp://[::1]:2003");
  EXPECT_EQ(parsed.host, "::1");
  EXPECT_EQ(parsed.port, 2003);
  EXPECT_TRUE(parsed.path.empty());
}

TEST(ClientCommandLineTest, TakesAServerOnUdp) {
  const Options parsed = options({"check", "udp://localhost:2003"});
  EXPECT_EQ(parsed.transport, client::Transport::udp);
  EXPECT_EQ(parsed.host, "localhost");
  EXPECT_EQ(parsed.port, 2003);
  EXPECT_EQ(usage_error({"check", "udp://localhost"}),
            "\"localhost\" has no port: give HOST:PORT, such as localhost:2003");
}

// The options of a run on UDP, or the error.
Words udp(Words words) {
  words.emplace_back("udp://localhost:2003");
  return words;
}

TEST(ClientCommandLineTest, BurstsDecideTheDepthOfDatagrams) {
  EXPECT_EQ(options(udp({})).plan.burst, 1U);
  EXPECT_EQ(options(udp({})).plan.depth, 1U);
  const Options bursts = options(udp({"--burst", "32", "--size", "1200"}));
  EXPECT_EQ(bursts.plan.burst, 32U);
  EXPECT_EQ(bursts.plan.depth, 32U);
  EXPECT_EQ(options(udp({"--burst", "32", "--depth", "64"})).plan.depth, 64U);
}

TEST(ClientCommandLineTest, RefusesWhatDatagramsCannotDo) {
  EXPECT_EQ(usage_error(udp({"--mode", "connect"})),
            "--mode connect is about connections, and UDP has none: use --mode echo");
  EXPECT_EQ(usage_error(udp({"--mode", "stream"})),
            "--mode stream is about connections, and UDP has none: use --mode echo");
  EXPECT_EQ(usage_error(udp({"--active", "0"})),
            "--active 0 is about connections that are only open, and UDP has none: give 1 or more");
  EXPECT_EQ(options(udp({"--active", "1"})).plan.active, 1U);
  EXPECT_EQ(options({"--active", "0", "localhost:7"}).plan.active, 0U);
  for (const char* const size : {"15", "1-64", "65508", "64-1M"}) {
    EXPECT_EQ(usage_error(udp({"--size", size})),
              "--size: a datagram of a run has 16 to 65507 bytes, because its header takes 16; "
              "check tries shorter ones");
  }
  for (const char* const option : {"--burst", "--depth"}) {
    EXPECT_EQ(usage_error(udp({"--rate", "100", option, "4"})),
              "--rate sends each datagram when it is due: --burst and --depth do not apply");
  }
  EXPECT_EQ(usage_error(udp({"--burst", "4", "--size", "64-128"})),
            "--burst needs datagrams of one size: give --size one number");
  EXPECT_EQ(usage_error(udp({"--burst", "64", "--size", "1472"})),
            "--burst 64 of 1472 bytes: the kernel sends at most 65507 bytes at once");
  EXPECT_EQ(usage_error(udp({"--burst", "64", "--depth", "63"})),
            "--depth 63 is less than --burst 64");
  EXPECT_EQ(usage_error({"--burst", "4", "localhost:7"}),
            "--burst is about datagrams: give a server udp://HOST:PORT");
  EXPECT_EQ(usage_error({"--slo", "loss=1%", "localhost:7"}),
            "--slo loss is about datagrams: give a server udp://HOST:PORT");
}

TEST(ClientCommandLineTest, ALossIsAPartInPercent) {
  const Options limited = options(udp({"--slo", "loss=0.1%", "--slo", "loss=0%"}));
  EXPECT_EQ(limited.limits[0].kind, Limit::Kind::loss);
  EXPECT_EQ(limited.limits[0].number, 0.1);
  EXPECT_EQ(limited.limits[1].number, 0);
  for (const char* const wrong : {"loss=1", "loss=%", "loss=-1%", "loss=101%", "loss=x%"}) {
    EXPECT_NE(usage_error(udp({"--slo", wrong})).find("given; use a limit"), std::string::npos)
        << wrong;
  }
}

TEST(ClientCommandLineTest, TakesThePathOfAUnixSocket) {
  for (const char* const command : {"run", "check"}) {
    const Options parsed = options({command, "unix:/run/echo:d.sock"});
    EXPECT_EQ(parsed.target, "unix:/run/echo:d.sock");
    EXPECT_EQ(parsed.path, "/run/echo:d.sock");
    EXPECT_EQ(parsed.host, "");
  }
  EXPECT_EQ(options({"unix:echo.sock"}).path, "echo.sock");
  EXPECT_EQ(options({"unix:" + std::string(107, 'x')}).path, std::string(107, 'x'));
}

TEST(ClientCommandLineTest, RefusesWhatAUnixSocketCannotHave) {
  EXPECT_EQ(usage_error({"unix:"}),
            "unix: has no path: give one, such as unix:/run/echod/echo.sock");
  const std::string longest(108, 'x');
  EXPECT_EQ(usage_error({"check", "unix:" + longest}),
            '"' + longest + "\" has 108 bytes; the path of a UNIX socket has at most 107");
  EXPECT_EQ(usage_error({"--source", "127.0.0.1", "unix:/run/echo.sock"}),
            "--source is an IP address, and a UNIX socket has none: leave it out");
}

TEST(ClientCommandLineTest, SaysWhatIsWrongWithAServer) {
  EXPECT_EQ(usage_error({}), "no server given: HOST:PORT");
  EXPECT_EQ(usage_error({"check"}), "no server given: HOST:PORT");
  EXPECT_EQ(usage_error({"--depth", "2"}), "no server given: HOST:PORT");
  const std::string no_port = " has no port: give HOST:PORT, such as localhost:2003";
  EXPECT_EQ(usage_error({"run", "localhost"}), "\"localhost\"" + no_port);
  EXPECT_EQ(usage_error({"run", ""}), "\"\"" + no_port);
  EXPECT_EQ(usage_error({"[::1]"}), "\"[::1]\"" + no_port);
  const std::string no_target =
      " is not HOST:PORT; an IPv6 address needs brackets, such as [::1]:2003";
  for (const char* const target : {"::1:2003", "fe80::1:7", "[::1]x:7", ":7", "[]:7"}) {
    EXPECT_EQ(usage_error({target}), '"' + std::string(target) + '"' + no_target);
  }
  for (const char* const port : {"", "0", "65536", "99999999999", "-1", "+7", "7x", " 7", "echo"}) {
    EXPECT_EQ(usage_error({std::string("localhost:") + port}),
              '"' + std::string(port) + "\" is not a port: 1 to 65535");
  }
  EXPECT_EQ(usage_error({"localhost:7", "localhost:8"}), "unexpected argument localhost:8");
}

// Values.

struct Refused {
  const char* option;
  std::vector<const char*> values;
  const char* allowed;
};

TEST(ClientCommandLineTest, SaysWhatIsWrongOnOneLine) {
  EXPECT_EQ(usage_error({"--mode", "a\nb", "localhost:7"}),
            "--mode: \"a\\nb\" given; use echo, connect or stream");
  EXPECT_EQ(usage_error({"run", "localhost\r"}),
            "\"localhost\\r\" has no port: give HOST:PORT, such as localhost:2003");
}

TEST(ClientCommandLineTest, SaysWhichValuesAreAllowed) {
  const char* const count = "1 to 10000000";
  const char* const time = "a time of at least 1ms, such as 10s";
  const char* const file = "a file name";
  const std::vector<Refused> all{
      {"--connections", {"0", "10000001", "x", "", "-1", "1.5"}, count},
      {"--timeout", {"0", "999us", "x", "", "-1s"}, "a time of at least 1ms, such as 5s"},
      {"--mode", {"", "Echo", "ech", "echo "}, "echo, connect or stream"},
      {"--active", {"10000001", "x", ""}, "0 to 10000000"},
      {"--size",
       {"0", "65M", "0-5", "5-4", "5-", "64M-65M", ""},
       "1 to 64M bytes, or a range such as 64-4k"},
      {"--depth", {"0", "65537", ""}, "1 to 65536"},
      {"--rate",
       {"0", "x", "", "inf", "-5"},
       "messages per second, such as 500 or 20k, or up to 100 steps, such as 1k:10k:1k@5s"},
      {"--messages", {"0", "x", ""}, "1 or more"},
      {"--threads", {"0", "257", ""}, "1 to 256"},
      {"--duration", {"0", "0.9ms", "forever"}, time},
      {"--warmup", {"-1", "x", ""}, "a time, such as 1s or 0"},
      {"--connect-rate", {"0", "x"}, "connections per second, such as 1k"},
      {"--ramp", {"0", "x"}, "a time of at least 1ms, such as 30s"},
      {"--source", {"localhost", "127.0.0.1:80", ""}, "an IP address of this host"},
      {"--server-pid", {"0", "-1", "x", "4194305", ""}, "a process id"},
      {"--max-errors", {"-1", "x", ""}, "a number of errors"},
      {"--slo",
       {"", "p99", "p99=", "=2ms", "p=2ms", "p0=2ms", "p100=2ms", "q99=2ms", "p99=2 ms", "p99=-1",
        "pinf=1s", "pnan=1s", "p99x=1s", "avg=1s", "p99=0", "max=0ms"},
       "a limit, such as p99=2ms, max=1s, rate>=9900, errors<=5 or loss=0.1%; a time must be more "
       "than 0"},
      {"--json", {""}, file},
      {"--histogram", {""}, file},
      {"--html", {""}, file},
      {"--interval", {"0", "9ms", "x", "600000m"}, "a time of at least 10ms, such as 1s"}};
  for (const Refused& refused : all) {
    for (const std::string value : refused.values) {
      const std::string expected =
          std::string(refused.option) + ": \"" + value + "\" given; use " + refused.allowed;
      EXPECT_EQ(error_with({refused.option, value}), expected);
      EXPECT_EQ(error_with({refused.option + ('=' + value)}), expected);
    }
  }
}

TEST(ClientCommandLineTest, SaysWhichOptionNeedsAValue) {
  EXPECT_EQ(usage_error({"localhost:7", "--depth"}), "--depth needs a value");
  EXPECT_EQ(usage_error({"localhost:7", "--json"}), "--json needs a value");
}

TEST(ClientCommandLineTest, SaysWhichOptionIsUnknown) {
  EXPECT_EQ(error_with({"--bogus"}), "unknown option --bogus of run");
  EXPECT_EQ(error_with({"--bogus=5"}), "unknown option --bogus=5 of run");
  EXPECT_EQ(error_with({"check", "--bogus"}), "unknown option --bogus of check");
  EXPECT_EQ(error_with({"-x"}), "unknown option -x of run");
  EXPECT_EQ(error_with({"-xyz"}), "unknown option -x of run");
  EXPECT_EQ(error_with({"-n5"}), "unknown option -n of run");
  EXPECT_EQ(usage_error({"localhost:7", "-V"}), "unknown option -V of run");
}

TEST(ClientCommandLineTest, SaysWhichOptionTakesNoValue) {
  EXPECT_EQ(error_with({"check", "--verbose=yes"}), "--verbose takes no value");
  EXPECT_EQ(error_with({"check", "--json=x"}), "--json takes no value");
  EXPECT_EQ(error_with({"--version=2"}), "--version takes no value");
  EXPECT_EQ(error_with({"--help=me"}), "--help takes no value");
}

TEST(ClientCommandLineTest, OptionsOfOneCommandAreUnknownToTheOther) {
  EXPECT_EQ(error_with({"--verbose"}), "unknown option --verbose of run");
  for (const char* const option :
       {"--mode", "--active", "--size", "--depth", "--rate", "--threads", "--duration", "--warmup",
        "--connect-rate", "--ramp", "--source", "--server-pid", "--max-errors", "--slo",
        "--histogram", "--html", "--interval", "--interval-json"}) {
    EXPECT_EQ(error_with({"check", option, "1"}),
              "unknown option " + std::string(option) + " of check");
  }
}

TEST(ClientCommandLineTest, TheCommandStandsFirst) {
  EXPECT_EQ(usage_error({"--depth", "2", "check"}),
            "\"check\" has no port: give HOST:PORT, such as localhost:2003");
  EXPECT_EQ(usage_error({"run", "check"}),
            "\"check\" has no port: give HOST:PORT, such as localhost:2003");
  EXPECT_EQ(error_with({"--timeout", "2s", "check"}), "check must stand before the options");
  EXPECT_EQ(error_with({"--timeout", "2s", "run"}), "run must stand before the options");
}

TEST(ClientCommandLineTest, SaysWhichCommandIsUnknown) {
  const std::string neither =
      " is neither a command (run, check or merge) nor HOST:PORT, such as localhost:2003";
  EXPECT_EQ(error_with({"chek"}), "\"chek\"" + neither);
  EXPECT_EQ(error_with({"chek", "--verbose"}), "\"chek\"" + neither);
  EXPECT_EQ(usage_error({"localhost"}), "\"localhost\"" + neither);
  EXPECT_EQ(usage_error({""}), "\"\"" + neither);
}

// Contradictions.

TEST(ClientCommandLineTest, SaysWhichOptionsContradictEachOther) {
  EXPECT_EQ(error_with({"--connections", "5", "--active", "6"}),
            "--active 6 is more than --connections 5");
  EXPECT_EQ(error_with({"--active", "65"}), "--active 65 is more than --connections 64");
  EXPECT_EQ(error_with({"--mode", "stream", "--rate", "5"}),
            "--mode stream sends as fast as it can, so --rate does not apply: use --mode echo");
  EXPECT_EQ(error_with({"--ramp", "5s", "--connect-rate", "5"}),
            "--ramp and --connect-rate say the same: give one of them");
  EXPECT_EQ(error_with({"--mode", "connect", "--depth", "2"}),
            "--mode connect makes a connection for each message: --active, --depth, --connect-rate "
            "and --ramp do not apply; --rate does");
  EXPECT_EQ(error_with({"--messages", "5"}), "--messages ends an open loop: give --rate too");
  EXPECT_EQ(error_with({"--rate", "5", "--active", "0"}),
            "--rate needs active connections: --active is 0");
  EXPECT_EQ(error_with({"--json", "f", "--histogram", "f"}),
            "--json and --histogram cannot both go to f");
  EXPECT_EQ(error_with({"--json", "f", "--html", "f"}), "--json and --html cannot both go to f");
  EXPECT_EQ(error_with({"--histogram", "-", "--html", "-"}),
            "--histogram and --html cannot both go to -");
  EXPECT_EQ(error_with({"--interval-json", "f", "--json", "f"}),
            "--json and --interval-json cannot both go to f");
  EXPECT_EQ(error_with({"--mode", "stream", "--slo", "p99=1s"}),
            "--slo (except errors) and --histogram do not apply to --mode stream, which measures "
            "only bytes: use --mode echo");
}

// Texts.

TEST(ClientCommandLineTest, PrintsItsVersion) {
  const ParsedCommandLine parsed = parse({"--version"});
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_EQ(parsed.text, "echoload 0.1.0\n");
  EXPECT_EQ(parse({"check", "--version"}).text, parsed.text);
}

TEST(ClientCommandLineTest, HelpIsTheSameForEachCommandAndHas80Columns) {
  const ParsedCommandLine parsed = parse({"--help"});
  EXPECT_TRUE(parsed.is_final);
  EXPECT_EQ(parsed.exit_code, 0);
  EXPECT_EQ(parse({"check", "--help"}).text, parsed.text);
  EXPECT_EQ(parse({"-h"}).text, parsed.text);
  EXPECT_TRUE(parsed.text.ends_with("See echoload(1).\n"));
  for (const char* const part :
       {"Usage: echoload [run] [OPTION]... SERVER\n", "echoload check [OPTION]... SERVER\n",
        "echoload merge [OPTION]... FILE...\n", "\n   0  ", "\n   1  ", "\n  64  ", "\n  69  ",
        "\n  71  "}) {
    EXPECT_NE(parsed.text.find(part), std::string::npos) << part;
  }
  std::istringstream text(parsed.text);
  for (std::string line; std::getline(text, line);) {
    EXPECT_LE(line.size(), 80U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
  }
}

// The options that the help names under a heading.
Words helped(const std::string& heading) {
  std::istringstream text(parse({"--help"}).text);
  Words names;
  bool is_here = false;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(' ')) {
      is_here = line == heading + ':';
    } else if (is_here && line.starts_with("  --")) {
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  return names;
}

TEST(ClientCommandLineTest, HelpNamesEveryOptionOncePerCommand) {
  EXPECT_EQ(helped("run and check"), (Words{"--connections", "--timeout", "--seed"}));
  EXPECT_EQ(
      helped("run"),
      (Words{"--mode",       "--active",     "--size",         "--depth",    "--burst",
             "--rate",       "--arrivals",   "--messages",     "--threads",  "--start-at",
             "--duration",   "--warmup",     "--connect-rate", "--ramp",     "--source",
             "--server-pid", "--max-errors", "--html",         "--interval", "--interval-json"}));
  EXPECT_EQ(helped("run and merge"), (Words{"--slo", "--json", "--histogram"}));
  EXPECT_EQ(helped("check"), (Words{"--json", "--verbose"}));
  EXPECT_EQ(helped("Information"), (Words{"--version", "--help"}));
}

TEST(ClientCommandLineTest, EveryOptionInTheHelpIsAccepted) {
  const std::vector<std::pair<const char*, Words>> headings{
      {"run", {"run", "run and check", "run and merge"}},
      {"check", {"check", "run and check"}},
      {"merge", {"run and merge"}}};
  for (const auto& [command, all] : headings) {
    for (const std::string& heading : all) {
      for (const std::string& name : helped(heading)) {
        // If it is refused, then only for its value.
        const ParsedCommandLine parsed = parse({command, name, "localhost:7"});
        EXPECT_EQ(parsed.text.find("unknown option"), std::string::npos) << parsed.text;
      }
    }
  }
}

}  // namespace
}  // namespace echod::client
