// The checks of UDP find each fault of a broken server and name it. A correct server passes all of
// them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "client/check/checks.hpp"
#include "client/check/run_checks.hpp"
#include "datagram_server.hpp"
#include "deadline.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

using client::CheckPlan;
using client::CheckResult;
using client::CheckVerdict;

using UdpNames = std::set<std::string>;

constexpr std::chrono::milliseconds kUdpTimeout{1000};
// If the server never answers, every check waits this long.
constexpr std::chrono::milliseconds kSilentUdpTimeout{300};

const std::vector<std::string> kUdpChecks{"small datagram", "binary",     "empty datagram",
                                          "1 byte",         "1472 bytes", "1473 bytes",
                                          "65507 bytes",    "one by one", "reply address",
                                          "in parallel",    "burst",      "low source port"};

class EcholoadCheckUdpTest : public testing::Test {
 protected:
  static std::vector<CheckResult> check(const SocketAddress& server,
                                        std::chrono::nanoseconds timeout = kPatience) {
    CheckPlan plan;
    plan.server = client::Endpoint::udp(server);
    plan.timeout = timeout;
    return client::run_checks(plan, {});
  }
  static std::vector<CheckResult> check(const DatagramServer& server,
                                        std::chrono::nanoseconds timeout = kPatience) {
    return check(*SocketAddress::parse("127.0.0.1", server.port()), timeout);
  }
  static UdpNames failing(const std::vector<CheckResult>& results) {
    UdpNames names;
    for (const CheckResult& result : results) {
      if (result.verdict == CheckVerdict::fail) {
        names.insert(result.name);
      }
    }
    return names;
  }
  static const CheckResult& named(const std::vector<CheckResult>& results, std::string_view name) {
    return *std::ranges::find(results, name, &CheckResult::name);
  }
  // All checks but those in `passing`.
  static UdpNames all_but(const UdpNames& passing) {
    UdpNames names(kUdpChecks.begin(), kUdpChecks.end() - 1);
    std::erase_if(names, [&](const std::string& name) { return passing.contains(name); });
    return names;
  }
  static void expect_reason(const std::vector<CheckResult>& results, std::string_view name,
                            const std::string& pattern) {
    EXPECT_TRUE(matches(named(results, name).reason, pattern)) << named(results, name).reason;
  }
};

TEST_F(EcholoadCheckUdpTest, ACorrectServerPassesEveryCheck) {
  const DatagramServer server;
  const auto results = check(server);
  ASSERT_EQ(results.size(), kUdpChecks.size());
  for (std::size_t i = 0; i + 1 < results.size(); ++i) {
    EXPECT_EQ(results[i].name, kUdpChecks[i]);
    EXPECT_EQ(results[i].verdict, CheckVerdict::pass) << results[i].name << results[i].reason;
    EXPECT_FALSE(results[i].figure.empty()) << results[i].name;
    EXPECT_FALSE(results[i].reason.empty()) << results[i].name;
  }
  EXPECT_EQ(results.back().verdict, CheckVerdict::note);
  EXPECT_TRUE(client::have_passed(results));
  expect_reason(results, "burst",
                "^(2 trains of 32 datagrams|64 datagrams without waiting) of 1200 bytes: all came "
                "back, 0 out of order$");
  EXPECT_TRUE(matches(named(results, "burst").figure, "^64 of 64 in "));
}

TEST_F(EcholoadCheckUdpTest, ALostDatagramIsFoundAndCounted) {
  const DatagramServer server({.fault = DatagramFault::loses, .every = 16});
  const auto results = check(server, kUdpTimeout);
  EXPECT_EQ(named(results, "burst").verdict, CheckVerdict::fail);
  expect_reason(results, "burst", ": 4 of 64 were lost, 0 out of order$");
  EXPECT_TRUE(matches(named(results, "burst").figure, "^60 of 64 in "));
  expect_reason(results, "one by one",
                "^socket [0-9]+: nothing for 1 s, 1 of [0-9]+ datagrams? missing$");
  EXPECT_FALSE(client::have_passed(results));
}

TEST_F(EcholoadCheckUdpTest, AnAnswerThatComesTwiceIsFound) {
  const DatagramServer server({.fault = DatagramFault::duplicates});
  const auto results = check(server);
  EXPECT_EQ(failing(results), all_but({}));
  expect_reason(results, "1473 bytes", "^socket [0-9]+: datagram 0 came back twice$");
}

TEST_F(EcholoadCheckUdpTest, AFlippedBitIsFound) {
  const DatagramServer server({.fault = DatagramFault::corrupts});
  const auto results = check(server);
  EXPECT_EQ(failing(results), all_but({"empty datagram"}));
  expect_reason(results, "1472 bytes",
                "^socket [0-9]+: byte 1471 is 0x[0-9a-f]{2}, expected 0x[0-9a-f]{2}$");
}

TEST_F(EcholoadCheckUdpTest, AMissingByteIsFound) {
  const DatagramServer server({.fault = DatagramFault::shortens});
  const auto results = check(server);
  EXPECT_EQ(failing(results), all_but({"empty datagram"}));
  expect_reason(results, "1 byte", "^socket [0-9]+: 0 bytes came back, sent were 1 byte$");
  expect_reason(results, "65507 bytes", ": 65506 bytes came back, sent were 65507 bytes$");
}

TEST_F(EcholoadCheckUdpTest, AnAnswerFromAnotherPortIsFound) {
  const DatagramServer server({.fault = DatagramFault::answers_from_another_port});
  const auto results = check(server, std::chrono::seconds(2));
  EXPECT_EQ(failing(results), all_but({}));
  expect_reason(results, "reply address",
                "^socket [0-9]+: 16 bytes came from 127.0.0.1:[0-9]+, and not from 127.0.0.1:" +
                    std::to_string(server.port()) + "$");
}

TEST_F(EcholoadCheckUdpTest, ADatagramOfAnotherClientIsFound) {
  const DatagramServer server({.fault = DatagramFault::swaps_two_clients, .every = 2});
  const auto results = check(server, kUdpTimeout);
  EXPECT_EQ(named(results, "in parallel").verdict, CheckVerdict::fail);
  expect_reason(results, "in parallel", "^socket [0-9]+: got a datagram of socket [0-9]+$");
}

TEST_F(EcholoadCheckUdpTest, ReorderedAnswersAreToldAndNotJudged) {
  const DatagramServer server({.fault = DatagramFault::reorders, .every = 2});
  const auto results = check(server);
  EXPECT_EQ(failing(results), UdpNames{});
  expect_reason(results, "burst", ": all came back, [1-9][0-9]* out of order$");
}

TEST_F(EcholoadCheckUdpTest, SilenceFailsEveryCheck) {
  const DatagramServer server({.fault = DatagramFault::loses});
  const auto results = check(server, kSilentUdpTimeout);
  EXPECT_EQ(failing(results), all_but({}));
  expect_reason(results, "small datagram",
                "^socket 1: nothing for 300 ms, 1 of 1 datagram missing$");
  EXPECT_NE(results.back().figure, "answered");
}

TEST_F(EcholoadCheckUdpTest, WithoutAServerTheFirstCheckFailsAndTheOthersAreSkipped) {
  std::uint16_t port = 0;
  {
    const DatagramServer gone;
    port = gone.port();
  }
  const auto results = check(*SocketAddress::parse("127.0.0.1", port));
  EXPECT_EQ(failing(results), UdpNames{"small datagram"});
  EXPECT_EQ(results[0].reason, "socket 1: no server at udp://127.0.0.1:" + std::to_string(port) +
                                   ": Connection refused");
  EXPECT_EQ(results[1].reason, "no connection to check");
}

TEST_F(EcholoadCheckUdpTest, ALowPortThatIsRefusedOrNotReachedIsNotAnswered) {
  std::uint16_t port = 0;
  {
    const DatagramServer gone;
    port = gone.port();
  }
  const auto low_port = [](const SocketAddress& server) {
    CheckPlan plan;
    plan.server = client::Endpoint::udp(server);
    client::CheckContext context(plan);
    return client::datagram_checks().back().run(context);
  };
  const client::Finding refused = low_port(*SocketAddress::parse("127.0.0.1", port));
  EXPECT_EQ(refused.verdict, CheckVerdict::note);
  EXPECT_TRUE(matches(refused.figure, "^(refused|not tried)$")) << refused.figure;
  // A link-local address without its link: connect(2) fails with EINVAL.
  const client::Finding unreached = low_port(*SocketAddress::parse("fe80::1", port));
  EXPECT_EQ(unreached.verdict, CheckVerdict::note);
  EXPECT_TRUE(matches(unreached.figure, "^not (answered|tried)$")) << unreached.figure;
}

TEST_F(EcholoadCheckUdpTest, MoreSocketsThanDescriptorsAreSkippedWithBothNumbers) {
  const DatagramServer server;
  CheckPlan plan;
  plan.server = client::Endpoint::udp(*SocketAddress::parse("127.0.0.1", server.port()));
  plan.connections = 4'000'000'000;
  const auto results = client::run_checks(plan, {});
  EXPECT_EQ(named(results, "in parallel").verdict, CheckVerdict::skip);
  expect_reason(results, "in parallel",
                "^4000000000 sockets need 8000000016 descriptors, and ulimit -n is [0-9]+$");
}

}  // namespace
}  // namespace echod::test
