#include "config/config_file.hpp"

#include <gtest/gtest.h>

#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "config/config_errors.hpp"

namespace echod {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// The error lines for `text`; empty if it is valid.
Lines errors_in(std::string_view text) {
  try {
    (void)parse_config(text, "echod.toml");
    return {};
  } catch (const ConfigErrors& errors) {
    return errors.lines();
  }
}

// The configuration of `text`, or its errors, if all allocations after the first `spared` fail.
// Returns nothing if it fails for lack of memory.
std::optional<std::pair<Config, Lines>> parsed_with_allocations(const std::string& text,
                                                                std::uint64_t spared) {
  const std::string path = "/etc/a-name-that-takes-memory.toml";
  try {
    const test::AllocationFailure no_memory(0, spared);
    return std::pair(parse_config(text, path), Lines());
  } catch (const ConfigErrors& errors) {
    return std::pair(Config(), errors.lines());
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

// toml++ reports errors in constructors that are noexcept and allocate.
TEST(ConfigFile, ThrowsBadAllocWhereverMemoryRunsOut) {
  for (const std::string text :
       {"[[listen]]\naddress = \"2001:0db8:0000:0000:0000:0000:0000:0001\"\n"
        "port = 7\n[timeouts]\nidle_s = 2.5\n",
        "[timeouts]\nidle_s = 2.5.5\n", "[[listen]\n", "port = [1,\n"}) {
    const auto expected = parsed_with_allocations(text, UINT64_MAX);
    std::uint64_t spared = 0;
    while (!parsed_with_allocations(text, spared)) {
      ++spared;
    }
    EXPECT_EQ(parsed_with_allocations(text, spared), expected) << text << spared;
    EXPECT_GT(spared, 10U) << text;
  }
}

TEST(ConfigFile, GivesTheDefaultsIfItIsEmptyOrHoldsOnlyComments) {
  EXPECT_EQ(parse_config("", "x"), Config{});
  EXPECT_EQ(parse_config("# nothing\n\n[limits]\n[log]\n", "x"), Config{});
  EXPECT_EQ(parse_config("[[listen]]\n", "x"), Config{});
  EXPECT_EQ(parse_config("\xEF\xBB\xBF# with a byte order mark\r\n[log]\r\n", "x"), Config{});
}

TEST(ConfigFile, SetsTheNamedKeysAndKeepsTheOtherDefaults) {
  Config expected;
  expected.listen[0].address = SocketAddress::parse("192.0.2.1", 7).value();
  expected.limits.max_connections = 5;
  expected.timeouts.idle = 1500ms;
  expected.socket.keepalive = false;
  expected.log.file = "";
  expected.log.stderr_level = LogLevel::off;
  EXPECT_EQ(parse_config("listen = [{address = '192.0.2.1', port = 7}]\n"
                         "limits.max_connections = 5\n"
                         "timeouts = {idle_s = 1.5}\n"
                         "[socket]\n"
                         "keepalive = false\n"
                         "[log]\n"
                         "file = ''\n"
                         "stderr_level = 'off'\n",
                         "x"),
            expected);
}

TEST(ConfigFile, ReadsListenersInOrder) {
  const Config config = parse_config(
      "[[listen]]\naddress = '127.0.0.1'\n[[listen]]\naddress = '::1'\nbacklog = 5\nv6only = "
      "true\n",
      "x");
  ASSERT_EQ(config.listen.size(), 2U);
  EXPECT_EQ(config.listen[0].address.text(), "127.0.0.1:2003");
  EXPECT_EQ(config.listen[1].address.text(), "[::1]:2003");
  EXPECT_EQ(config.listen[1].backlog, 5);
  EXPECT_TRUE(config.listen[1].v6only);
}

TEST(ConfigFile, ReportsEveryErrorWithItsPositionInTheOrderOfTheFile) {
  EXPECT_EQ(errors_in("[timeouts]\n"
                      "idle_s = -1\n"
                      "drain_s = 'soon'\n"
                      "\n"
                      "[limits]\n"
                      "max_conections = 5\n"
                      "\n"
                      "[[listen]]\n"
                      "port    = 70000\n"),
            (Lines{"echod.toml:2:10: timeouts.idle_s: -1 is out of range; use 0 or 0.1 to "
                   "31536000",
                   "echod.toml:3:11: timeouts.drain_s: \"soon\" is a string instead of a number; "
                   "use 0 to 3600",
                   "echod.toml:6:1: limits.max_conections: unknown key, did you mean "
                   "limits.max_connections?",
                   "echod.toml:9:11: listen.port: 70000 is out of range; use 0 to 65535"}));
}

TEST(ConfigFile, ReportsASyntaxErrorAloneWithItsPosition) {
  const Lines errors = errors_in("[limits]\nmax_connections = -1\nopen_files = \n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].rfind("echod.toml:3:14: not TOML: ", 0), 0U) << errors[0];
}

TEST(ConfigFile, ReportsASyntaxErrorOnOneShortLine) {
  using namespace std::string_literals;
  const std::string long_line = std::string(100000, 'k') + "=1\n";
  const Lines texts{"\x1B[2J",
                    "a = \"\n\"",
                    "\xFF\xFE",
                    "a = 1\na = 2\n",
                    "[log]\n[log]\n",
                    std::string(5000, '['),
                    "a = 99999999999999999999",
                    "\0"s,
                    long_line + long_line};
  for (const std::string& text : texts) {
    const Lines errors = errors_in(text);
    ASSERT_EQ(errors.size(), 1U);
    EXPECT_NE(errors[0].find(": not TOML: "), std::string::npos) << errors[0];
    EXPECT_LT(errors[0].size(), 400U);
    EXPECT_EQ(errors[0].find_first_of("\n\r\x1B"), std::string::npos);
  }
}

TEST(ConfigFile, ReportsNanAndInfinity) {
  EXPECT_EQ(errors_in("[timeouts]\nidle_s = nan\nlinger_s = inf\ndrain_s = -inf\n"),
            (Lines{"echod.toml:2:10: timeouts.idle_s: nan is out of range; use 0 or 0.1 to "
                   "31536000",
                   "echod.toml:3:12: timeouts.linger_s: inf is out of range; use 0 to 3600",
                   "echod.toml:4:11: timeouts.drain_s: -inf is out of range; use 0 to "
                   "3600"}));
}

TEST(ConfigFile, ReportsTypesThatNoKeyHas) {
  const std::vector<std::pair<std::string, std::string>> values{
      {"[1]", "an array"},
      {"{a = 1}", "a table"},
      {"2024-01-01", "a date"},
      {"12:00:00", "a time"},
      {"2024-01-01T00:00:00Z", "a date and time"}};
  for (const auto& [value, type] : values) {
    const std::string text = "[turn]\nreads = " + value + "\n";
    EXPECT_EQ(errors_in(text), (Lines{"echod.toml:2:9: turn.reads: is " + type +
                                      " instead of an integer; use 1 to 1024"}));
  }
}

TEST(ConfigFile, ReportsUnknownSectionsAndKeysOutsideOfSections) {
  EXPECT_EQ(errors_in("prot = 7\n[limit]\nopen_files = 1\n[[listener]]\n"),
            (Lines{"echod.toml:1:1: prot: unknown key, did you mean listen.port?",
                   "echod.toml:2:2: limit: unknown section, did you mean limits?",
                   "echod.toml:4:3: listener: unknown section, did you mean listen?"}));
}

TEST(ConfigFile, ReportsASectionThatIsNotATable) {
  EXPECT_EQ(errors_in("limits = 5\n[[log]]\n"),
            (Lines{"echod.toml:1:10: limits: 5 is an integer instead of a table; use one "
                   "[limits]",
                   "echod.toml:2:1: log: is an array instead of a table; use one [log]"}));
}

TEST(ConfigFile, ReportsAListenTableThatIsNotAnArray) {
  EXPECT_EQ(errors_in("[listen]\nport = 7\n"),
            (Lines{"echod.toml:1:1: listen: is a table instead of an array of tables; use "
                   "[[listen]] entries"}));
  EXPECT_EQ(errors_in("listen = [{}, 7]\n"),
            (Lines{"echod.toml:1:15: listen: 7 is an integer instead of a table; use "
                   "[[listen]] entries"}));
}

TEST(ConfigFile, ReportsNoListenersAndTooManyListeners) {
  EXPECT_EQ(errors_in("listen = []\n"),
            (Lines{"echod.toml:1:10: listen: has 0 entries; use 1 to 255"}));
  std::string many;
  for (int i = 0; i < 257; ++i) {
    many += "[[listen]]\nport = 0\n";
  }
  EXPECT_EQ(errors_in(many), (Lines{"echod.toml:1:1: listen: has 257 entries; use 1 to 255"}));
}

TEST(ConfigFile, ReportsConflictingListenersWithBothPositions) {
  EXPECT_EQ(
      errors_in("[[listen]]\n\n[[listen]]\naddress = '0.0.0.0'\n\n[[listen]]\nport = 2003\n"),
      (Lines{"echod.toml:3:1: listen: 0.0.0.0:2003 cannot be opened beside [::]:2003 (line 1, "
             "column 1): \"::\" serves IPv4 too; set v6only = true in that "
             "[[listen]] to keep both",
             "echod.toml:6:1: listen: [::]:2003 cannot be opened beside [::]:2003 (line 1, "
             "column 1): both have the same address and port; remove one"}));
  EXPECT_EQ(errors_in("[[listen]]\naddress = '127.0.0.1'\n[[listen]]\naddress = '0.0.0.0'\n"),
            (Lines{"echod.toml:3:1: listen: 0.0.0.0:2003 cannot be opened beside 127.0.0.1:2003 "
                   "(line 1, column 1): one of them listens on all addresses; keep only that one, "
                   "or only single addresses"}));
}

TEST(ConfigFile, ReportsTheSameListenerInDifferentSpellings) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"::1", "0:0:0:0:0:0:0:1"}, {"::1", "::1%0"},        {"127.0.0.1", "::ffff:127.0.0.1"},
      {"::", "::ffff:0.0.0.0"},   {"::", "::ffff:7f00:1"}, {"fe80::1%lo", "fe80::1%1"}};
  for (const auto& [one, other] : pairs) {
    const Lines errors =
        errors_in("listen = [{address = '" + one + "'}, {address = '" + other + "'}]\n");
    ASSERT_EQ(errors.size(), 1U) << one << ' ' << other;
    EXPECT_NE(errors[0].find("cannot be opened beside"), std::string::npos) << errors[0];
  }
}

TEST(ConfigFile, DoesNotCompareListenersWithErrors) {
  EXPECT_EQ(errors_in("[[listen]]\n[[listen]]\naddress = 'x'\n[[listen]]\nport = -1\n").size(), 2U);
}

TEST(ConfigFile, AcceptsListenersOnPortsThatTheKernelChooses) {
  EXPECT_EQ(errors_in("[[listen]]\nport = 0\n[[listen]]\nport = 0\n"), Lines{});
}

TEST(ConfigFile, ReportsATotalThatIsSmallerThanOneBuffer) {
  EXPECT_EQ(errors_in("[buffers]\nper_connection_kib = 2049\ntotal_mib = 2\n"),
            (Lines{"echod.toml:3:13: buffers.total_mib: 2 is smaller than one buffer "
                   "(per_connection_kib = 2049); use at least 3"}));
  EXPECT_EQ(errors_in("[buffers]\nper_connection_kib = 2048\ntotal_mib = 2\n"), Lines{});
}

TEST(ConfigFile, ReportsAnyStringOnOneShortLine) {
  EXPECT_EQ(errors_in("[log]\nfile = \"a\\u0000\\nb\"\n"),
            (Lines{"echod.toml:2:8: log.file: \"a\\u0000\\u000Ab\" holds a control character; "
                   "use paths, or \"\" for none"}));
  const Lines errors = errors_in("[log]\nfile_level = \"" + std::string(100000, 'x') + "\"\n");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_LT(errors[0].size(), 300U);
  EXPECT_EQ(errors_in("[log]\n\"\\u001b[31m\" = 1\n")[0].rfind(
                "echod.toml:2:1: log.\"\\u001B[31m\": unknown key", 0),
            0U);
}

TEST(ConfigFile, PutsAllErrorsIntoTheMessageOfTheException) {
  try {
    (void)parse_config("a = 1\nb = 2\n", "x");
    FAIL();
  } catch (const ConfigErrors& errors) {
    ASSERT_EQ(errors.lines().size(), 2U);
    EXPECT_EQ(errors.what(), errors.lines()[0] + "\n" + errors.lines()[1]);
  }
}

TEST(ConfigFile, ReadsAPathWithItsKeys) {
  const Config config = parse_config(
      "[[listen]]\npath = '/run/a.sock'\nmode = '0600'\nowner = 'root'\nbacklog = 5\n", "x");
  ListenConfig expected;
  expected.path = "/run/a.sock";
  expected.mode = 0600;
  expected.owner = 0;
  expected.backlog = 5;
  EXPECT_EQ(config.listen, std::vector{expected});
}

TEST(ConfigFile, RefusesEachKeyOfAddressesBesideAPath) {
  const std::string what = ": is for IP addresses; with path, use backlog, mode, owner and group";
  EXPECT_EQ(
      errors_in("[[listen]]\npath = '/run/a.sock'\naddress = '::'\nport = 7\nv6only = "
                "true\nprotocol = 'udp'\n"),
      (Lines{"echod.toml:3:11: listen.address" + what, "echod.toml:4:8: listen.port" + what,
             "echod.toml:5:10: listen.v6only" + what, "echod.toml:6:12: listen.protocol" + what}));
  EXPECT_EQ(errors_in("[[listen]]\npath = ''\naddress = '::'\n"), Lines{});
}

TEST(ConfigFile, RefusesAPathThatIsUsedTwice) {
  EXPECT_EQ(errors_in("[[listen]]\npath = '/run/a.sock'\n[[listen]]\npath = '/run/a.sock'\n"),
            Lines{"echod.toml:3:1: listen: unix:/run/a.sock cannot be opened beside "
                  "unix:/run/a.sock (line 1, column 1): both have the same path; remove "
                  "one"});
  EXPECT_EQ(errors_in("[[listen]]\npath = '/run/a.sock'\n[admin]\nsocket = '/run/a.sock'\n"),
            Lines{"echod.toml:1:1: listen: unix:/run/a.sock cannot be opened beside admin.socket: "
                  "both have the same path; use another one"});
}

TEST(ConfigFile, RefusesAListenerWithTheAddressOfTheAdminSocket) {
  const std::string admin = "[admin]\naddress = '127.0.0.1'\nport = 7\n";
  EXPECT_EQ(errors_in("[[listen]]\nport = 7\n" + admin),
            Lines{"echod.toml:1:1: listen: [::]:7 cannot be opened beside admin.address: both have "
                  "the same port; change admin.port"});
  EXPECT_EQ(errors_in("[[listen]]\naddress = '127.0.0.2'\nport = 7\n" + admin), Lines{});
  EXPECT_EQ(errors_in("[[listen]]\nprotocol = 'udp'\nport = 7\n" + admin), Lines{});
}

}  // namespace
}  // namespace echod
