// The commands of echoload: which server address they use, what they print and their exit codes.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <array>
#include <string>
#include <vector>

#include "broken_server.hpp"
#include "ipv6.hpp"
#include "load_client.hpp"
#include "pseudo_terminal.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

constexpr int kExitPassed = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 64;
constexpr int kExitUnavailable = 69;
constexpr int kExitSystem = 71;

// Runs echoload with a resolver that returns these addresses for every name.
class EcholoadNameTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized) {
      GTEST_SKIP() << "a sanitizer has a getaddrinfo of its own";
    }
  }

  static ChildResult run_at(const std::string& addresses, std::vector<std::string> arguments,
                            std::uint16_t port) {
    arguments.insert(arguments.begin(), ECHOLOAD_BINARY);
    arguments.push_back("echo.test:" + std::to_string(port));
    return run({.arguments = arguments,
                .environment = {"LD_PRELOAD=" ECHOD_NAMED_ADDRESSES,
                                "ECHOD_NAMED_ADDRESSES=" + addresses}});
  }

  BrokenServer server_{Fault::correct};  // Only on 127.0.0.1.
};

TEST_F(EcholoadNameTest, ACheckTriesEveryAddressAndSaysWhichItUses) {
  const std::string port = std::to_string(server_.port());
  const ChildResult result = run_at("127.0.0.2,127.0.0.3,127.0.0.1", {"check"}, server_.port());
  EXPECT_EQ(result.exit_code, kExitPassed) << result.out << result.err;
  EXPECT_TRUE(matches(result.out, "^echoload [0-9.]+: check of echo.test:" + port +
                                      " at 127.0.0.1:" + port + ", seed [0-9]+\n"))
      << result.out;
}

TEST_F(EcholoadNameTest, ARunTriesEveryAddressAndSaysWhichItUses) {
  for (const std::string mode : {"echo", "connect"}) {
    const ChildResult result = run_at(
        "127.0.0.2,127.0.0.1",
        {"--mode", mode, "--duration", kMoment, "--warmup", "0", "--json", "-"}, server_.port());
    ASSERT_EQ(result.exit_code, kExitPassed) << result.out << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["target"]["address"], local_target(server_.port()));
  }
}

// "localhost" is often resolved to ::1 first.
TEST_F(EcholoadNameTest, ASourceAddressDecidesTheFamily) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "this host has no IPv6";
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  address.sin6_port = htons(server_.port());
  const int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  const ChildResult result =
      run_at("::1,127.0.0.1", {"--source", "127.0.0.9", "--duration", kMoment, "--warmup", "0"},
             server_.port());
  EXPECT_EQ(result.exit_code, kExitPassed) << result.out << result.err;
  const ChildResult other = run_at("::1", {"--source", "127.0.0.9"}, server_.port());
  EXPECT_EQ(other.exit_code, kExitUsage) << other.out << other.err;
  (void)close(listener);
}

TEST_F(EcholoadNameTest, WhenNoAddressAnswersEachIsNamedWithItsReason) {
  const std::string port = std::to_string(server_.port());
  const ChildResult result = run_at("127.0.0.2,127.0.0.3", {"check"}, server_.port());
  EXPECT_EQ(result.exit_code, kExitUnavailable);
  EXPECT_EQ(result.err, "echoload: no connection to the server: 127.0.0.2:" + port +
                            ": Connection refused; 127.0.0.3:" + port + ": Connection refused\n");
}

// Runs in a network namespace in which the only local port for connect(2) is the server's.
TEST(EcholoadSelfTest, WithoutAServerItDoesNotAcceptAConnectionToItself) {
  if (!is_installed("unshare") || !is_installed("ip") ||
      run({.arguments = {"unshare", "--map-root-user", "--net", "true"}}).exit_code != 0) {
    GTEST_SKIP() << "network namespaces are not allowed here, or iproute2 is not installed";
  }
  const std::string itself = "connected to itself, because no server listens there";
  const std::string refused = "Connection refused";
  for (const auto& [arguments, server, error] :
       std::vector<std::array<std::string, 3>>{{"check", "", itself},
                                               {"run --connections 1", "", itself},
                                               {"run --connections 1 --mode connect", "", itself},
                                               {"check", "udp://", refused},
                                               {"run --connections 1", "udp://", refused}}) {
    const ChildResult result =
        run({.arguments = {"unshare", "--map-root-user", "--net", "sh", "-c",
                           "ip link set lo up && "
                           "echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range || exit 99; "
                           "exec \"$0\" $1 ${2}127.0.0.1:40000",
                           ECHOLOAD_BINARY, arguments, server}});
    if (result.exit_code == 99) {
      GTEST_SKIP() << "/proc/sys cannot be written here";
    }
    EXPECT_EQ(result.exit_code, kExitUnavailable) << result.out;
    EXPECT_EQ(result.err,
              "echoload: no connection to the server: 127.0.0.1:40000: " + error + '\n');
  }
}

// The words of a short run.
std::vector<std::string> short_run(std::uint16_t port, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {ECHOLOAD_BINARY, "--warmup", "0", "--duration", kMoment});
  arguments.push_back(local_target(port));
  return arguments;
}

TEST(EcholoadCommandTest, HelpAndVersionGoToStandardOutput) {
  const ChildResult help = run({.arguments = {ECHOLOAD_BINARY, "--help"}});
  EXPECT_EQ(help.exit_code, kExitPassed);
  EXPECT_TRUE(help.out.starts_with("echoload measures an echo service")) << help.out;
  EXPECT_EQ(help.err, "");
  const ChildResult version = run({.arguments = {ECHOLOAD_BINARY, "merge", "--version"}});
  EXPECT_EQ(version.exit_code, kExitPassed);
  EXPECT_TRUE(matches(version.out, "^echoload [0-9.]+\n$")) << version.out;
}

TEST(EcholoadCommandTest, HelpThatCannotBeWrittenIsAnError) {
  const ChildResult result =
      run({.arguments = {"sh", "-c", R"(exec "$0" --help >/dev/full)", ECHOLOAD_BINARY}});
  EXPECT_EQ(result.exit_code, kExitSystem);
  EXPECT_EQ(result.err, "echoload: cannot write to standard output: No space left on device\n");
}

TEST(EcholoadCommandTest, AWrongCommandLineIsOneLineOnStandardError) {
  const ChildResult result = run({.arguments = {ECHOLOAD_BINARY, "--depht", "4", "localhost:7"}});
  EXPECT_EQ(result.exit_code, kExitUsage);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "echoload: unknown option --depht of run; see echoload --help\n");
}

TEST(EcholoadCommandTest, ANameThatDoesNotExistIsReportedByTheResolver) {
  const ChildResult result = run({.arguments = {ECHOLOAD_BINARY, "echo..test:7"}});
  EXPECT_EQ(result.exit_code, kExitUnavailable);
  EXPECT_TRUE(
      result.err.starts_with("echoload: no connection to the server: cannot find echo..test: "))
      << result.err;
}

TEST(EcholoadCommandTest, ASourceThatIsNoAddressOfThisHostIsRefused) {
  const BrokenServer server(Fault::correct);
  const ChildResult result =
      run({.arguments =
               short_run(server.port(), {"--source", "127.0.0.1", "--source", "198.51.100.1"})});
  EXPECT_EQ(result.exit_code, kExitUsage) << result.out;
  EXPECT_EQ(result.err,
            "echoload: --source 198.51.100.1: Cannot assign requested address, is it an address "
            "of this host?\n");
}

TEST(EcholoadCommandTest, ASourceOfTheOtherFamilyIsRefused) {
  const BrokenServer server(Fault::correct);
  const ChildResult result = run({.arguments = short_run(server.port(), {"--source", "::1"})});
  EXPECT_EQ(result.exit_code, kExitUsage) << result.out;
  EXPECT_EQ(result.err, "echoload: --source ::1: the server is " + local_target(server.port()) +
                            ", which is of the other family\n");
}

TEST(EcholoadCommandTest, TheLiveFiguresOfATerminalAreCutToItsWidth) {
  const BrokenServer server(Fault::correct);
  for (const auto columns : std::array<unsigned short, 2>{40, 0}) {  // 0: the width is unknown.
    const PseudoTerminal terminal;
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(ioctl(terminal.fd(), TIOCSWINSZ, &size), 0);
    const ChildResult result =
        run({.arguments = short_run(server.port(), {"--duration", "1200ms", "--interval", "500ms"}),
             .stderr_to = terminal.fd()});
    EXPECT_EQ(result.exit_code, kExitPassed) << result.out;
    const std::string shown = terminal.drain();
    const std::size_t begin = shown.find("measuring");
    ASSERT_NE(begin, std::string::npos) << shown;
    const std::string line = shown.substr(begin, shown.find('\r', begin) - begin);
    EXPECT_EQ(line.size() < 40, columns == 40) << line;
    EXPECT_NE(shown.find("0.00 to 0.50 s: 0 errors"), std::string::npos) << shown;
  }
}

TEST(EcholoadCommandTest, BothReasonsAreReportedIfTheResultCannotBeWrittenEither) {
  const ChildResult result =
      run({.arguments = {ECHOLOAD_BINARY, "--json", "/dev/full", "127.0.0.1:1"}});
  EXPECT_EQ(result.exit_code, kExitSystem);
  EXPECT_EQ(result.err,
            "echoload: no connection to the server: 127.0.0.1:1: Connection refused; cannot write "
            "/dev/full: No space left on device\n");
}

TEST(EcholoadCommandTest, ARunWithoutDescriptorsForItsThreadsSaysSoAndWritesItsResult) {
  constexpr int kStandard = 3;
  constexpr rlim_t kLimit = 40;
  const BrokenServer server(Fault::correct);
  const TemporaryDirectory directory;
  const int inherited = dup(STDIN_FILENO);
  const ChildResult result =
      run({.arguments =
               short_run(server.port(), {"--connections", "1", "--json", directory.file("json")}),
           .limits = {{RLIMIT_NOFILE, {kLimit, kLimit}}},
           .passes = std::vector<int>(kLimit - kStandard - 2, inherited)});
  (void)close(inherited);
  EXPECT_EQ(result.exit_code, kExitSystem);
  EXPECT_TRUE(matches(result.err, "^echoload: [a-z0-9_]+: Too many open files\n$")) << result.err;
  const auto json = nlohmann::json::parse(read_file(directory.file("json")));
  EXPECT_EQ(json["began"], false);
}

// Runs in a network namespace in which connect(2) may use only one local port.
TEST(EcholoadCommandTest, MoreConnectionsThanLocalPortsAreRefused) {
  const ChildResult result =
      run({.arguments = {"unshare", "--map-root-user", "--net", "sh", "-c",
                         "echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range || exit 99; "
                         "exec \"$0\" --connections 2 127.0.0.1:7",
                         ECHOLOAD_BINARY}});
  if (result.exit_code == 99 || result.err.starts_with("unshare:")) {
    GTEST_SKIP() << "network namespaces are not allowed here, or /proc/sys cannot be written";
  }
  EXPECT_EQ(result.exit_code, kExitSystem);
  EXPECT_EQ(result.err,
            "echoload: 2 connections need more local ports than 40000 to 40000: give more "
            "addresses with --source\n");
}

ChildResult run_check(const BrokenServer& server, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {ECHOLOAD_BINARY, "check"});
  arguments.push_back(local_target(server.port()));
  return run({.arguments = arguments});
}

TEST(EcholoadCheckCommandTest, ASkippedCheckHasNotPassed) {
  const BrokenServer server(Fault::correct);
  const ChildResult table = run_check(server, {"--connections", "10M"});
  EXPECT_EQ(table.exit_code, kExitFailed) << table.out << table.err;
  EXPECT_TRUE(table.out.ends_with("\n11 passed, 0 failed, 1 skipped\n")) << table.out;
  const ChildResult json = run_check(server, {"--connections", "10M", "--json"});
  EXPECT_EQ(json.exit_code, kExitFailed);
  EXPECT_EQ(nlohmann::json::parse(json.out)["passed"], false);
}

TEST(EcholoadCheckCommandTest, AServerWithoutFaultsPassesAndEveryStepIsShownIfAskedFor) {
  const BrokenServer server(Fault::correct);
  const ChildResult result = run_check(server, {"--verbose"});
  EXPECT_EQ(result.exit_code, kExitPassed) << result.out;
  EXPECT_TRUE(result.out.ends_with("\n12 passed, 0 failed, 0 skipped\n")) << result.out;
  EXPECT_TRUE(matches(lines_of(result.err).front(), "^[0-9.]+ check: small message$"))
      << result.err;
}

TEST(EcholoadCheckCommandTest, TheSeedIsPrintedAndRepeatsTheBytes) {
  const BrokenServer server(Fault::corrupts);
  const auto wrong_byte = [&](const std::string& seed) {
    const ChildResult result = run_check(server, {"--json", "--seed", seed});
    const auto report = nlohmann::json::parse(result.out);
    EXPECT_EQ(report["seed"].dump(), seed);
    for (const auto& one : report["checks"]) {
      if (one["name"] == "half-close, before reading") {
        return one["reason"].get<std::string>();
      }
    }
    return std::string("no such check");
  };
  const std::string reason = wrong_byte("7");
  EXPECT_TRUE(matches(reason, "^connection 6, offset 900: 1 byte corrupted ")) << reason;
  EXPECT_EQ(wrong_byte("7"), reason);
  EXPECT_NE(wrong_byte("8"), reason);
  const ChildResult table = run_check(server, {"--seed", "7"});
  EXPECT_NE(table.out.find(", seed 7\n"), std::string::npos) << table.out;
}

}  // namespace
}  // namespace echod::test
