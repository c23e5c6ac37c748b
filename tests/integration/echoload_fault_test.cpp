// echoload run against servers that are broken in one way each: the fault is reported as what it
// is, by connection and offset.
#include <gtest/gtest.h>

#include "broken_server.hpp"
#include "load_client.hpp"

namespace echod::test {
namespace {

struct Case {
  Fault fault;
  std::string kind;                    // In errors.by_kind.
  std::string detail;                  // Within one of the details.
  std::vector<std::string> arguments;  // Further ones.
};

void PrintTo(const Case& tested, std::ostream* out) {  // NOLINT(*-naming): GoogleTest's name.
  *out << tested.kind;
}

std::string name_of_case(const testing::TestParamInfo<Case>& tested) {
  return tested.param.kind + std::to_string(tested.index);
}

// Several messages under way, so that something follows what is lost.
const std::vector<std::string> kDeep{"--depth", "4"};

class EcholoadFaultTest : public testing::TestWithParam<Case> {};

TEST_P(EcholoadFaultTest, IsReportedAsWhatItIs) {
  const Case& tested = GetParam();
  const BrokenServer server(tested.fault);
  std::vector<std::string> arguments{"--connections", "4", "--size", "256"};
  arguments.insert(arguments.end(), tested.arguments.begin(), tested.arguments.end());
  const LoadOutcome outcome = run_load(server.port(), arguments);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
  ASSERT_FALSE(outcome.json.is_null()) << outcome.err;
  EXPECT_GT(outcome.json["errors"]["by_kind"][tested.kind], 0) << outcome.out;
  EXPECT_EQ(outcome.json["errors"]["by_kind"][tested.kind], outcome.json["errors"]["total"])
      << outcome.out;
  EXPECT_NE(outcome.json["errors"]["details"].dump().find(tested.detail), std::string::npos)
      << outcome.out;
  EXPECT_FALSE(outcome.json["passed"]);
}

INSTANTIATE_TEST_SUITE_P(
    Of, EcholoadFaultTest,
    testing::Values(Case{Fault::drops_a_byte, "lost", "offset 900: 1 byte lost", kDeep},
                    Case{Fault::corrupts, "corrupted", "offset 900: 1 byte corrupted", kDeep},
                    Case{Fault::duplicates, "duplicated",
                         "offset 900: the 64 bytes before came again", kDeep},
                    Case{Fault::reorders, "reordered", "came first", kDeep},
                    Case{Fault::swaps_two_connections, "crossed", ": bytes of connection ", kDeep},
                    Case{Fault::truncates_at_half_close,
                         "truncated",
                         "missing at the end after our half-close",
                         {"--mode", "connect", "--size", "64k"}},
                    Case{Fault::stalls, "stalled", "never came back", {"--timeout", "300ms"}},
                    Case{Fault::closes_early, "closed_early", "closed by the server, ", {}},
                    Case{Fault::resets, "reset", "Connection reset by peer", {}},
                    Case{Fault::never_accepts,
                         "stalled",
                         "256 bytes never came back",
                         {"--timeout", "300ms", "--depth", "1"}}),
    name_of_case);

TEST(EcholoadErrorTest, ACorrectServerIsReportedAsCorrect) {
  const BrokenServer server(Fault::correct);
  const LoadOutcome outcome = run_load(server.port(), {"--connections", "4"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
}

TEST(EcholoadErrorTest, ARunEndsWhenNoConnectionIsLeft) {
  const BrokenServer server(Fault::closes_early);
  const LoadOutcome outcome = run_load(server.port(), {"--threads", "2", "--duration", "1000s"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.json["errors"]["by_kind"]["closed_early"], 64);
  EXPECT_LT(outcome.json["measured_s"], 100);
}

TEST(EcholoadErrorTest, ErrorsMayBeAllowedButWrongBytesMayNot) {
  const BrokenServer closing(Fault::closes_early);
  EXPECT_EQ(run_load(closing.port(), {"--connections", "2", "--max-errors", "2"}).exit_code, 0);
  EXPECT_EQ(run_load(closing.port(), {"--connections", "2", "--max-errors", "1"}).exit_code, 1);
  const BrokenServer corrupting(Fault::corrupts);
  EXPECT_EQ(run_load(corrupting.port(), {"--connections", "2", "--max-errors", "9"}).exit_code, 1);
}

}  // namespace
}  // namespace echod::test
