// The checks find each fault of a broken server and name it. A correct server passes all of them.
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "broken_server.hpp"
#include "client/check/run_checks.hpp"
#include "daemon_test.hpp"
#include "files.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

using client::CheckPlan;
using client::CheckResult;
using client::CheckVerdict;

using Names = std::set<std::string>;
using Results = std::vector<CheckResult>;

constexpr std::chrono::milliseconds kShortTimeout{1000};
// If the server never answers, every check waits this long.
constexpr std::chrono::milliseconds kSilentTimeout{500};

CheckPlan plan_for(std::uint16_t port, std::chrono::nanoseconds timeout = kPatience) {
  CheckPlan plan;
  plan.server = *SocketAddress::parse("127.0.0.1", port);
  plan.timeout = timeout;
  return plan;
}

Results check(const BrokenServer& server, std::chrono::nanoseconds timeout = kPatience) {
  return client::run_checks(plan_for(server.port(), timeout), {});
}

Names names_of(const Results& results, CheckVerdict verdict) {
  Names names;
  for (const CheckResult& result : results) {
    if (result.verdict == verdict) {
      names.insert(result.name);
    }
  }
  return names;
}

const CheckResult& named(const Results& results, std::string_view name) {
  return *std::ranges::find(results, name, &CheckResult::name);
}

// All checks, in their order.
const std::vector<std::string> kAll{"small message",
                                    "binary",
                                    "byte by byte",
                                    "half-close, nothing sent",
                                    "half-close, short message",
                                    "half-close, before reading",
                                    "half-close, late reader",
                                    "half-close, FIN with data",
                                    "large, late reader",
                                    "in parallel",
                                    "pipelining",
                                    "abrupt close"};
// The checks that receive more than BrokenServer::kAfterBytes on a connection.
const Names kLong{"binary",
                  "half-close, before reading",
                  "half-close, late reader",
                  "half-close, FIN with data",
                  "in parallel",
                  "large, late reader",
                  "pipelining",
                  "abrupt close"};
// The checks that half-close while bytes are owed.
const Names kHalfClosing{"half-close, short message", "half-close, before reading",
                         "half-close, late reader", "half-close, FIN with data",
                         "large, late reader"};

// Expects that exactly the checks in `failing` fail, with a reason that matches `pattern`, and that
// the others pass.
void expect_failures(const Results& results, const Names& failing, const std::string& pattern) {
  EXPECT_EQ(names_of(results, CheckVerdict::fail), failing);
  EXPECT_EQ(names_of(results, CheckVerdict::skip), Names{});
  for (const CheckResult& result : results) {
    if (result.verdict == CheckVerdict::fail) {
      EXPECT_TRUE(matches(result.reason, pattern)) << result.name << ": " << result.reason;
    } else {
      EXPECT_FALSE(result.reason.empty()) << result.name;
    }
  }
}

void expect_all_pass(const Results& results) {
  expect_failures(results, {}, "");
  ASSERT_EQ(results.size(), kAll.size());
  for (const CheckResult& result : results) {
    EXPECT_FALSE(result.figure.empty()) << result.name;
  }
}

// The reason of checks that send a text: it names only the wrong byte.
const std::string kWrongByte = "^connection [0-9]+: byte [0-9]+ is 0x[0-9a-f]{2}, expected ";

TEST(EcholoadCheckTest, ACorrectServerPassesEveryCheck) {
  const BrokenServer server(Fault::correct);
  const Results results = check(server);
  expect_all_pass(results);
  const CheckResult& large = named(results, "large, late reader");
  ASSERT_TRUE(matches(large.reason, "^took [0-9.]+ MiB of 64 MiB unread, then no more for 1 s$"))
      << large.reason;
  ASSERT_TRUE(matches(large.figure, "^[0-9.]+ MiB at [0-9.]+ MB/s$")) << large.figure;
  // Bytes sent before the reading began are not part of the rate.
  const double before = std::stod(large.reason.substr(large.reason.find(' ')));
  constexpr double kRounding = 0.06;
  EXPECT_NEAR(std::stod(large.figure) + before, 64, kRounding) << large.figure << large.reason;
  EXPECT_TRUE(matches(named(results, "half-close, late reader").reason,
                      "^56 connections of 48 to 453 KiB, first read after 1 s; [0-9]+ FINs had "
                      "arrived by then$"));
}

TEST(EcholoadCheckTest, AServerThatBuffersEverythingHasNoBound) {
  const BrokenServer server(Fault::correct, 0, {.own_bytes = std::size_t{1} << 30});
  const Results results = check(server);
  expect_all_pass(results);
  EXPECT_EQ(named(results, "large, late reader").figure, "64 MiB unread");
  EXPECT_EQ(named(results, "large, late reader").reason, "its buffer has no bound");
}

// This server does not read while it cannot write, so it does not see the FIN.
TEST(EcholoadCheckTest, IfNoFinArrivesTheLateReaderIsSkipped) {
  const BrokenServer server(Fault::correct, 0, {.own_bytes = 4096, .kernel_bytes = 4096});
  const Results results = check(server);
  EXPECT_EQ(names_of(results, CheckVerdict::fail), Names{});
  EXPECT_EQ(names_of(results, CheckVerdict::skip), Names{"half-close, late reader"});
  EXPECT_EQ(named(results, "half-close, late reader").reason,
            "no FIN had arrived before the first read: 56 connections of 48 to 453 KiB");
}

TEST(EcholoadCheckTest, ResultsComeInOrderWhileItRuns) {
  const BrokenServer server(Fault::closes_early);
  std::vector<std::string> names;
  const Results results = client::run_checks(
      plan_for(server.port()), [&](const CheckResult& result) { names.push_back(result.name); });
  EXPECT_EQ(names, kAll);
  EXPECT_EQ(results.size(), kAll.size());
}

TEST(EcholoadCheckTest, ALostByteIsFound) {
  const BrokenServer server(Fault::drops_a_byte);
  expect_failures(check(server), kLong, "offset 900: 1 byte lost|" + kWrongByte);
}

TEST(EcholoadCheckTest, AFlippedBitIsFound) {
  const BrokenServer server(Fault::corrupts);
  expect_failures(check(server), kLong,
                  "offset 900: 1 byte corrupted|byte 900 is 0xfe, expected 0xff");
}

TEST(EcholoadCheckTest, RepeatedBytesAreFound) {
  const BrokenServer server(Fault::duplicates);
  expect_failures(check(server), kLong,
                  "offset 900: bytes from 64 bytes earlier arrived again|" + kWrongByte);
}

TEST(EcholoadCheckTest, ReorderedBytesAreFound) {
  const BrokenServer server(Fault::reorders);
  Names failing = kLong;
  failing.erase("binary");  // There both pieces are equal.
  expect_failures(check(server), failing, "bytes that belong [0-9]+ bytes later arrived first");
}

TEST(EcholoadCheckTest, BytesOfAnotherConnectionAreFound) {
  const BrokenServer server(Fault::swaps_two_connections);
  const Results results = check(server, kShortTimeout);
  const CheckResult& parallel = named(results, "in parallel");
  EXPECT_EQ(parallel.verdict, CheckVerdict::fail);
  EXPECT_TRUE(matches(parallel.reason, "^connection [0-9]+, offset [0-9]+: bytes of connection "))
      << parallel.reason;
  // A single connection is served correctly.
  EXPECT_EQ(named(results, "binary").verdict, CheckVerdict::pass);
  EXPECT_EQ(named(results, "half-close, before reading").verdict, CheckVerdict::pass);
}

TEST(EcholoadCheckTest, ATailDroppedAtTheHalfCloseIsFound) {
  const BrokenServer server(Fault::truncates_at_half_close);
  expect_failures(check(server), kHalfClosing,
                  "^connection [0-9]+ closed after [0-9]+ of [0-9]+ bytes?$");
}

// Such as socat, whose buffer has 8 KiB.
class EcholoadCheckGivingUpTest : public testing::TestWithParam<int> {};

TEST_P(EcholoadCheckGivingUpTest, ATailDroppedHalfASecondAfterTheFinIsFound) {
  const BrokenServer server(Fault::gives_up_after_fin, 0,
                            {.own_bytes = static_cast<std::size_t>(GetParam()) * 1024});
  expect_failures(check(server), {"half-close, late reader"},
                  "^connection [0-9]+ closed after [0-9]+ of [0-9]+ bytes$");
}
INSTANTIATE_TEST_SUITE_P(KibOfBuffer, EcholoadCheckGivingUpTest, testing::Values(4, 8, 16, 1024));

TEST(EcholoadCheckTest, ALateSurplusByteIsFound) {
  const BrokenServer server(Fault::adds_a_byte);
  expect_failures(check(server), Names(kAll.begin(), kAll.end()), " 1 byte more than were sent");
}

TEST(EcholoadCheckTest, SilenceIsFound) {
  const BrokenServer server(Fault::stalls);
  expect_failures(check(server, kShortTimeout), kLong,
                  "^connection [0-9]+: nothing for 1 s, [0-9]+ bytes missing$");
}

TEST(EcholoadCheckTest, AnEarlyEndIsFound) {
  const BrokenServer server(Fault::closes_early);
  expect_failures(check(server), kLong, "^connection [0-9]+ closed after 900 of [0-9]+ bytes$");
}

TEST(EcholoadCheckTest, AResetIsFound) {
  const BrokenServer server(Fault::resets);
  expect_failures(check(server), kLong, "^connection [0-9]+ reset after 900 of [0-9]+ bytes$");
}

TEST(EcholoadCheckTest, AServerThatAcceptsButNeverAnswersFailsEveryCheck) {
  const BrokenServer server(Fault::never_accepts);
  expect_failures(check(server, kSilentTimeout), Names(kAll.begin(), kAll.end()),
                  "^connection [0-9]+: (nothing for 500 ms, [0-9]+ bytes? missing|"
                  "no end of file for 500 ms after our own, though nothing is owed)$");
}

// UNIX sockets.

class EcholoadCheckLocalTest : public testing::Test {
 protected:
  [[nodiscard]] Results check(std::chrono::nanoseconds timeout = kPatience) const {
    CheckPlan plan;
    plan.server = client::Endpoint::at_path(path_);
    plan.timeout = timeout;
    return client::run_checks(plan, {});
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("echo.sock");
};

TEST_F(EcholoadCheckLocalTest, ACorrectServerPassesEveryCheck) {
  const BrokenServer server(Fault::correct, path_);
  expect_all_pass(check());
}

TEST_F(EcholoadCheckLocalTest, AFlippedBitIsFound) {
  const BrokenServer server(Fault::corrupts, path_);
  expect_failures(check(), kLong, "offset 900: 1 byte corrupted|byte 900 is 0xfe, expected 0xff");
}

TEST_F(EcholoadCheckLocalTest, ATailDroppedAtTheHalfCloseIsFound) {
  const BrokenServer server(Fault::truncates_at_half_close, path_);
  expect_failures(check(), kHalfClosing,
                  "^connection [0-9]+ closed after [0-9]+ of [0-9]+ bytes?$");
}

TEST_F(EcholoadCheckLocalTest, ATailDroppedHalfASecondAfterTheFinIsFound) {
  const BrokenServer server(Fault::gives_up_after_fin, path_);
  expect_failures(check(), {"half-close, late reader"},
                  "^connection [0-9]+ closed after [0-9]+ of [0-9]+ bytes$");
}

TEST_F(EcholoadCheckLocalTest, WithoutAServerTheFirstCheckFailsAndTheOthersAreSkipped) {
  const Results results = check();
  EXPECT_EQ(names_of(results, CheckVerdict::fail), Names{"small message"});
  EXPECT_EQ(results[0].reason,
            "connection 1: cannot connect to unix:" + path_ + ": No such file or directory");
  EXPECT_EQ(names_of(results, CheckVerdict::skip).size(), kAll.size() - 1);
}

TEST(EcholoadCheckTest, WithoutAServerTheFirstCheckFailsAndTheOthersAreSkipped) {
  // Bound but not listening: the port refuses connections, and no other process gets it.
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), length), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const Results results = client::run_checks(plan_for(ntohs(address.sin_port)), {});
  (void)close(fd);
  ASSERT_EQ(results.size(), kAll.size());
  EXPECT_EQ(names_of(results, CheckVerdict::fail), Names{"small message"});
  EXPECT_TRUE(matches(results[0].reason, "cannot connect to 127.0.0.1:[0-9]+: Connection refused$"))
      << results[0].reason;
  EXPECT_EQ(results[1].reason, "no connection to check");
  EXPECT_EQ(names_of(results, CheckVerdict::skip).size(), kAll.size() - 1);
}

TEST(EcholoadCheckTest, MoreConnectionsThanDescriptorsAreSkippedWithBothNumbers) {
  const BrokenServer server(Fault::correct);
  CheckPlan plan = plan_for(server.port());
  plan.connections = 4'000'000'000;
  const Results results = client::run_checks(plan, {});
  EXPECT_EQ(names_of(results, CheckVerdict::skip), Names{"in parallel"});
  EXPECT_TRUE(matches(named(results, "in parallel").reason,
                      "^4000000000 connections need 4000000016 descriptors, and ulimit -n is "
                      "[0-9]+$"))
      << named(results, "in parallel").reason;
}

TEST(EcholoadCheckTest, EveryStepCanBeTraced) {
  const BrokenServer server(Fault::correct);
  std::vector<std::string> lines;
  CheckPlan plan = plan_for(server.port());
  plan.trace = [&](const std::string& line) { lines.push_back(line); };
  (void)client::run_checks(plan, {});
  ASSERT_GT(lines.size(), 100U);
  const std::string time = "^[0-9]+\\.[0-9]{6} ";
  EXPECT_TRUE(matches(lines[0], time + "check: small message$")) << lines[0];
  EXPECT_TRUE(matches(lines[1], time + "connection 1: connected$")) << lines[1];
  EXPECT_TRUE(matches(lines[2], time + "connection 1: sent 13 bytes \"Hello, echo!\\\\n\"$"))
      << lines[2];
  EXPECT_TRUE(matches(lines[3], time + "connection 1: received 13 bytes \"Hello, echo!\\\\n\"$"))
      << lines[3];
  for (const std::string event : {"half-closed", "end of file", "reset", "blocked"}) {
    const auto is_event = [&](const std::string& line) {
      return matches(line, time + "connection [0-9]+: " + event);
    };
    EXPECT_TRUE(std::ranges::any_of(lines, is_event)) << event;
  }
}

class EchodCheckTest : public DaemonTest {};

TEST_F(EchodCheckTest, EchodPassesEveryCheck) {
  start();
  expect_all_pass(client::run_checks(plan_for(daemon().port()), {}));
}

TEST_F(EchodCheckTest, MissingResourcesOfThisHostAreNoFaultOfTheServer) {
  start();
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(STDERR_FILENO);
  ASSERT_EQ(close(next), 0);
  constexpr int kFree = 30;
  const rlimit few{.rlim_cur = static_cast<rlim_t>(next + kFree), .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const Results results = client::run_checks(plan_for(daemon().port()), {});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(names_of(results, CheckVerdict::fail), Names{});
  EXPECT_EQ(names_of(results, CheckVerdict::skip),
            (Names{"half-close, late reader", "in parallel"}));
  EXPECT_TRUE(matches(named(results, "half-close, late reader").reason,
                      "^connection [0-9]+: echoload's own host: Too many open files$"))
      << named(results, "half-close, late reader").reason;
  EXPECT_FALSE(client::have_passed(results));
}

}  // namespace
}  // namespace echod::test
