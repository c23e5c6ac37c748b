// echoload against UDP servers: what it prints, and its exit codes.
#include <gtest/gtest.h>

#include "datagram_server.hpp"
#include "load_client.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

constexpr int kUdpFailed = 1;
constexpr int kUdpUnavailable = 69;

std::string udp_target(const DatagramServer& server) {
  return "udp://" + local_target(server.port());
}

ChildResult check_udp(const std::string& target, std::vector<std::string> options = {}) {
  std::vector<std::string> words{ECHOLOAD_BINARY, "check"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back(target);
  return run({.arguments = words});
}

TEST(EcholoadUdpCheckTest, ACorrectServerPassesAndTheTableSaysWhatIsNotJudged) {
  const DatagramServer server;
  const ChildResult result = check_udp(udp_target(server));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_TRUE(matches(result.out, ": check of " + udp_target(server) + ", seed [0-9]+\n"))
      << result.out;
  EXPECT_TRUE(matches(result.out, "\nnote  low source port +(not tried|answered|not answered) "))
      << result.out;
  EXPECT_TRUE(result.out.ends_with("\n11 passed, 0 failed, 0 skipped, 1 not judged\n"))
      << result.out;
}

TEST(EcholoadUdpCheckTest, TheResultAsJsonSaysTheSame) {
  const DatagramServer server({.fault = DatagramFault::corrupts});
  const ChildResult result = check_udp(udp_target(server), {"--json"});
  EXPECT_EQ(result.exit_code, kUdpFailed);
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["target"]["address"], udp_target(server));
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["checks"].size(), 12U);
  EXPECT_EQ(json["checks"].back()["verdict"], "note");
  EXPECT_EQ(json["checks"].front()["verdict"], "fail");
}

TEST(EcholoadUdpCheckTest, WithoutAnAnswerNothingIsChecked) {
  const DatagramServer silent({.fault = DatagramFault::loses});
  const ChildResult result = check_udp(udp_target(silent), {"--timeout", "300ms"});
  EXPECT_EQ(result.exit_code, kUdpUnavailable);
  EXPECT_EQ(result.err, "echoload: no connection to the server: " + local_target(silent.port()) +
                            ": no answer\n");
}

TEST(EcholoadUdpCheckTest, APortWithoutAServerRefuses) {
  std::string target;
  {
    const DatagramServer gone;
    target = local_target(gone.port());
  }
  const ChildResult result = check_udp("udp://" + target);
  EXPECT_EQ(result.exit_code, kUdpUnavailable);
  EXPECT_EQ(result.err,
            "echoload: no connection to the server: " + target + ": Connection refused\n");
}

}  // namespace
}  // namespace echod::test
