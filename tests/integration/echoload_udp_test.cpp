// echoload against UDP servers: what it prints, and its exit codes.
#include <gtest/gtest.h>

#include <memory>

#include "broken_server.hpp"
#include "datagram_server.hpp"
#include "load_client.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

constexpr int kUdpFailed = 1;
constexpr int kUdpUsage = 64;
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

class EcholoadUdpRunTest : public testing::Test {
 protected:
  static LoadOutcome load(const DatagramServer& server,
                          const std::vector<std::string>& options = {}) {
    return run_load(udp_target(server), options);
  }
  // A run in which a lost datagram is given up soon. On a busy machine it may lose some by itself.
  static LoadOutcome load_impatiently(const DatagramServer& server,
                                      std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"--timeout", kSanitized ? "2s" : "1s"});
    return load(server, options);
  }
  static std::uint64_t datagrams(const LoadOutcome& outcome, const std::string& name) {
    return outcome.json["datagrams"][name].get<std::uint64_t>();
  }
  static std::uint64_t errors(const LoadOutcome& outcome, const std::string& kind) {
    return outcome.json["errors"]["by_kind"][kind].get<std::uint64_t>();
  }
  // Expects that nothing was wrong with the answers.
  static void expect_no_errors(const LoadOutcome& outcome) {
    EXPECT_EQ(outcome.json["errors"]["total"], 0) << outcome.out;
  }
};

TEST_F(EcholoadUdpRunTest, AClosedLoopCompletesWithoutAWrongByte) {
  const DatagramServer server;
  for (const std::string size : {"16", "1472", "16-2000"}) {
    const LoadOutcome outcome =
        load(server, {"--size", size, "--connections", "8", "--depth", "4", "--threads", "2"});
    ASSERT_EQ(outcome.exit_code, 0) << size << outcome.out << outcome.err;
    expect_no_errors(outcome);
    EXPECT_GT(outcome.json["echoes"], 0);
    EXPECT_EQ(outcome.json["connected"], 8);
    EXPECT_EQ(outcome.json["target"]["address"], udp_target(server));
    EXPECT_GT(datagrams(outcome, "sent"), 0U);
    EXPECT_EQ(datagrams(outcome, "lost"), 0U);
    EXPECT_EQ(datagrams(outcome, "duplicated"), 0U);
  }
}

// Few, so that they fit into the receive buffers.
TEST_F(EcholoadUdpRunTest, TheLongestDatagramsComeBack) {
  const DatagramServer server;
  const LoadOutcome outcome = load(server, {"--size", "65507", "--connections", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  expect_no_errors(outcome);
  EXPECT_GT(outcome.json["echoes"], 0);
}

TEST_F(EcholoadUdpRunTest, AnOpenLoopMeasuresEveryDatagram) {
  const DatagramServer server;
  const LoadOutcome outcome = load(server, {"--rate", "2000", "--messages", "300"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_EQ(datagrams(outcome, "sent"), 300U);
  EXPECT_EQ(outcome.json["latency_us"]["count"], 300);
  EXPECT_GT(outcome.json["receive_lag_us"]["count"], 0);
}

TEST_F(EcholoadUdpRunTest, BurstsAreSentAsTrains) {
  const DatagramServer server;
  const LoadOutcome outcome =
      load(server, {"--burst", "32", "--size", "1200", "--connections", "2"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  expect_no_errors(outcome);
  EXPECT_EQ(outcome.json["parameters"]["burst"], 32);
  EXPECT_EQ(outcome.json["parameters"]["depth"], 32);
  EXPECT_GT(datagrams(outcome, "sent"), 0U);
  EXPECT_EQ(datagrams(outcome, "sent") % 32, 0U);
  EXPECT_EQ(datagrams(outcome, "split_bursts"), 0U);
  EXPECT_NE(outcome.out.find(", depth 32, bursts of 32, closed loop"), std::string::npos)
      << outcome.out;
}

TEST_F(EcholoadUdpRunTest, TheSummaryTellsOfSocketsAndDatagrams) {
  const DatagramServer server;
  const LoadOutcome outcome = load(server);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_TRUE(matches(outcome.out,
                      ": echo, 64 sockets, 64 bytes, depth 1, closed loop, 1 thread, "
                      "to udp://127.0.0.1:"))
      << outcome.out;
  EXPECT_TRUE(matches(outcome.out, "\n  sockets      64 of 64\n")) << outcome.out;
  EXPECT_TRUE(
      matches(outcome.out,
              "\n  datagrams    [0-9 ]+ sent, 0 lost \\(0.000 %\\), 0 late, 0 duplicated, 0 "
              "reordered\n"))
      << outcome.out;
  EXPECT_EQ(outcome.out.find("\n  tcp "), std::string::npos) << outcome.out;
}

TEST_F(EcholoadUdpRunTest, LostDatagramsAreCountedAndFail) {
  const DatagramServer server({.fault = DatagramFault::loses, .every = 50, .after = 10});
  const LoadOutcome outcome = load_impatiently(server);
  EXPECT_EQ(outcome.exit_code, kUdpFailed);
  expect_no_errors(outcome);
  EXPECT_GT(datagrams(outcome, "lost"), 0U) << outcome.out;
  EXPECT_EQ(datagrams(outcome, "late"), 0U);
  EXPECT_TRUE(matches(outcome.out,
                      "\nfailed: lost datagrams: [0-9 ]+ of [0-9 ]+; --slo loss=1% "
                      "would allow 1 %\n"))
      << outcome.out;
}

TEST_F(EcholoadUdpRunTest, ALimitDecidesHowManyMayBeLost) {
  const DatagramServer server({.fault = DatagramFault::loses, .every = 50, .after = 10});
  const LoadOutcome met = load_impatiently(server, {"--slo", "loss=50%"});
  EXPECT_EQ(met.exit_code, 0) << met.out << met.err;
  EXPECT_GT(datagrams(met, "lost"), 0U);
  EXPECT_EQ(met.json["slo"][0]["met"], true);
  EXPECT_EQ(met.json["slo"][0]["measured"], met.json["datagrams"]["loss_percent"]);
  EXPECT_TRUE(matches(met.out,
                      "\npassed: all datagrams that came back are right; "
                      "[0-9 ]+ lost \\([0-9.]+ %\\)\n$"))
      << met.out;
  const LoadOutcome missed = load_impatiently(server, {"--slo", "loss=0.001%"});
  EXPECT_EQ(missed.exit_code, kUdpFailed);
  EXPECT_TRUE(matches(missed.out, "\nfailed: loss=0.001% was missed: ")) << missed.out;
}

TEST_F(EcholoadUdpRunTest, AServerThatHangsFailsAClosedLoopWhateverMayBeLost) {
  const DatagramServer server({.fault = DatagramFault::loses, .after = 1000});
  const LoadOutcome outcome = load_impatiently(
      server, {"--slo", "loss=100%", "--warmup", "0", "--duration", kSanitized ? "8s" : "5s"});
  EXPECT_EQ(outcome.exit_code, kUdpFailed) << outcome.out << outcome.err;
  EXPECT_TRUE(matches(outcome.out, "\nfailed: nothing came back for [0-9.]+ m?s: ")) << outcome.out;
}

TEST_F(EcholoadUdpRunTest, LateAnswersAreToldFromLostOnes) {
  const DatagramServer server({.fault = DatagramFault::answers_late,
                               .every = 50,
                               .after = 10,
                               .delay = std::chrono::milliseconds(kSanitized ? 3000 : 1500)});
  const LoadOutcome outcome =
      load_impatiently(server, {"--duration", kSanitized ? "6s" : "3s", "--slo", "loss=100%"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_GT(datagrams(outcome, "late"), 0U) << outcome.out;
  EXPECT_LE(datagrams(outcome, "late"), datagrams(outcome, "lost"));
  EXPECT_EQ(datagrams(outcome, "duplicated"), 0U);
}

TEST_F(EcholoadUdpRunTest, DuplicatesAreCountedAndFail) {
  const DatagramServer server({.fault = DatagramFault::duplicates, .every = 10});
  const LoadOutcome outcome = load(server);
  EXPECT_EQ(outcome.exit_code, kUdpFailed);
  expect_no_errors(outcome);
  EXPECT_GT(datagrams(outcome, "duplicated"), 0U);
  EXPECT_EQ(datagrams(outcome, "lost"), 0U);
  EXPECT_TRUE(
      matches(outcome.out, "\nfailed: duplicated answers: [0-9 ]+ \\(at most 0 allowed\\)\n"))
      << outcome.out;
  const LoadOutcome allowed = load(server, {"--max-errors", "1M"});
  EXPECT_EQ(allowed.exit_code, 0) << allowed.out << allowed.err;
}

// It comes after the window, while the socket waits for surplus answers.
TEST_F(EcholoadUdpRunTest, ADuplicateOfTheLastAnswerIsNoticed) {
  const DatagramServer server({.fault = DatagramFault::duplicates_later, .after = 1});
  const LoadOutcome outcome =
      load(server, {"--rate", "1000", "--messages", "1", "--connections", "1", "--duration", "20ms",
                    "--timeout", kSanitized ? "2s" : "200ms"});
  EXPECT_EQ(datagrams(outcome, "duplicated"), 1U) << outcome.out;
}

TEST_F(EcholoadUdpRunTest, ReorderedAnswersAreCountedAndPass) {
  const DatagramServer server({.fault = DatagramFault::reorders, .every = 10});
  const LoadOutcome outcome = load(server, {"--connections", "1", "--depth", "8"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
  EXPECT_GT(datagrams(outcome, "reordered"), 0U) << outcome.out;
}

TEST_F(EcholoadUdpRunTest, CorruptAnswersAreNamed) {
  const DatagramServer body({.fault = DatagramFault::corrupts, .every = 5});
  const LoadOutcome wrong = load(body, {"--connections", "1"});
  EXPECT_EQ(wrong.exit_code, kUdpFailed);
  EXPECT_GT(errors(wrong, "corrupted"), 0U);
  EXPECT_EQ(datagrams(wrong, "lost"), 0U) << "its header tells which datagram it is";
  EXPECT_TRUE(matches(wrong.out, "socket 0: datagram [0-9]+: byte 63 is wrong\n")) << wrong.out;
  const DatagramServer header({.fault = DatagramFault::corrupts_header, .every = 5, .after = 1});
  const LoadOutcome unknown = load_impatiently(header, {"--connections", "1"});
  EXPECT_EQ(unknown.exit_code, kUdpFailed);
  EXPECT_GT(errors(unknown, "corrupted"), 0U);
  EXPECT_GT(datagrams(unknown, "lost"), 0U) << "nothing tells which datagram it is";
  EXPECT_TRUE(matches(unknown.out, "socket 0: 64 bytes that are no datagram of this run: "))
      << unknown.out;
  const DatagramServer size({.fault = DatagramFault::shortens, .every = 5});
  const LoadOutcome shorter = load(size, {"--connections", "1"});
  EXPECT_EQ(shorter.exit_code, kUdpFailed);
  EXPECT_GT(errors(shorter, "corrupted"), 0U);
  EXPECT_EQ(datagrams(shorter, "lost"), 0U);
  EXPECT_TRUE(matches(shorter.out, "datagram [0-9]+: 63 bytes came back, sent were 64 bytes\n"))
      << shorter.out;
}

TEST_F(EcholoadUdpRunTest, AnswersFromAnotherAddressAreNamed) {
  const DatagramServer server({.fault = DatagramFault::answers_from_another_port, .every = 10});
  const LoadOutcome outcome = load_impatiently(server);
  EXPECT_EQ(outcome.exit_code, kUdpFailed);
  EXPECT_GT(errors(outcome, "unsolicited"), 0U);
  EXPECT_TRUE(matches(outcome.out,
                      "socket [0-9]+: 64 bytes from 127.0.0.1:[0-9]+, to which nothing was sent\n"))
      << outcome.out;
}

TEST_F(EcholoadUdpRunTest, DatagramsOfAnotherSocketAreNamed) {
  const DatagramServer server({.fault = DatagramFault::swaps_two_clients, .every = 10, .after = 1});
  const LoadOutcome outcome = load_impatiently(server);
  EXPECT_EQ(outcome.exit_code, kUdpFailed);
  EXPECT_GT(errors(outcome, "crossed"), 0U) << outcome.out;
  EXPECT_TRUE(matches(outcome.out, "socket [0-9]+: got datagram [0-9]+ of socket [0-9]+\n"))
      << outcome.out;
}

TEST_F(EcholoadUdpRunTest, AServerThatGoesAwayIsRefusedAndLosesDatagrams) {
  auto server = std::make_unique<DatagramServer>();
  const std::string target = udp_target(*server);
  ChildProcess client({.arguments = {ECHOLOAD_BINARY, "--duration", "3s", "--warmup", "0",
                                     "--timeout", "300ms", "--connections", "4", target}});
  wait_until("datagrams", [&] { return server->received() > 8; });
  server.reset();
  EXPECT_EQ(client.wait(), kUdpFailed);
  EXPECT_TRUE(matches(client.out(), "\n  errors       refused [0-9 ]+\n")) << client.out();
  EXPECT_TRUE(matches(client.out(), "\nfailed: lost datagrams: ")) << client.out();
}

TEST_F(EcholoadUdpRunTest, ResultsAreMergedWithTheirDatagrams) {
  const DatagramServer server({.fault = DatagramFault::loses, .every = 100, .after = 10});
  const TemporaryDirectory directory;
  std::uint64_t lost = 0;
  std::vector<std::string> words{ECHOLOAD_BINARY,       "merge", "--json",
                                 directory.file("sum"), "--slo", "loss=90%"};
  for (const std::string name : {"one", "two"}) {
    const LoadOutcome outcome = load_impatiently(server, {"--slo", "loss=90%"});
    lost += datagrams(outcome, "lost");
    write_file(directory.file(name), outcome.json.dump());
    words.push_back(directory.file(name));
  }
  const ChildResult merged = run({.arguments = words});
  EXPECT_EQ(merged.exit_code, 0) << merged.out << merged.err;
  const auto sum = nlohmann::json::parse(read_file(directory.file("sum")));
  EXPECT_EQ(sum["datagrams"]["lost"], lost);
  EXPECT_EQ(sum["target"]["address"], udp_target(server));
}

TEST_F(EcholoadUdpRunTest, ALimitOnTheLossOfTcpIsAWrongCommandLine) {
  const DatagramServer udp;
  const BrokenServer tcp(Fault::correct);
  const TemporaryDirectory directory;
  write_file(directory.file("udp"), load(udp).json.dump());
  write_file(directory.file("tcp"), run_load(tcp.port(), {}).json.dump());
  const auto merge_with_limit = [](const std::string& file) {
    return run({.arguments = {ECHOLOAD_BINARY, "merge", "--slo", "loss=1%", file}});
  };
  EXPECT_EQ(merge_with_limit(directory.file("udp")).exit_code, 0);
  const ChildResult refused = merge_with_limit(directory.file("tcp"));
  EXPECT_EQ(refused.exit_code, kUdpUsage);
  EXPECT_EQ(refused.err, "echoload: --slo loss is about datagrams, and " + directory.file("tcp") +
                             " is not a result of UDP\n");
}

TEST_F(EcholoadUdpRunTest, WithoutAnAnswerNothingBegins) {
  const DatagramServer silent({.fault = DatagramFault::loses});
  const LoadOutcome outcome = load_impatiently(silent);
  EXPECT_EQ(outcome.exit_code, kUdpUnavailable);
  EXPECT_EQ(outcome.json["began"], false);
  EXPECT_EQ(outcome.json["datagrams"], nullptr);
}

TEST_F(EcholoadUdpRunTest, TooShortDatagramsAreAWrongCommandLine) {
  const DatagramServer server;
  const LoadOutcome outcome = load(server, {"--size", "15"});
  EXPECT_EQ(outcome.exit_code, kUdpUsage);
  EXPECT_EQ(server.received(), 0U);
}

}  // namespace
}  // namespace echod::test
