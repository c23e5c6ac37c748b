// Runs echoload against servers with one fault each. echoload must report the fault by name, with
// connection and offset.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "broken_server.hpp"
#include "load_client.hpp"

namespace echod::test {
namespace {

struct Case {
  Fault fault;
  std::string kind;                    // Name in errors.by_kind.
  std::string detail;                  // Part of one of the details.
  std::vector<std::string> arguments;  // Additional arguments.
};

void PrintTo(const Case& tested, std::ostream* out) {  // NOLINT(*-naming): GoogleTest's name.
  *out << tested.kind;
}

std::string name_of_case(const testing::TestParamInfo<Case>& tested) {
  return tested.param.kind + std::to_string(tested.index);
}

// Several messages in flight, so that lost bytes are followed by others.
const std::vector<std::string> kDeep{"--depth", "4"};

class EcholoadFaultTest : public testing::TestWithParam<Case> {};

TEST_P(EcholoadFaultTest, IsReportedByItsName) {
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
                         "offset 900: bytes from 64 bytes earlier arrived again", kDeep},
                    Case{Fault::reorders, "reordered", "arrived first", kDeep},
                    Case{Fault::swaps_two_connections, "crossed", ": bytes of connection ", kDeep},
                    Case{Fault::truncates_at_half_close,
                         "truncated",
                         "missing at the end after our half-close",
                         {"--mode", "connect", "--size", "64k"}},
                    Case{Fault::stalls, "stalled", "never came back", {"--timeout", "300ms"}},
                    Case{Fault::closes_early, "closed_early", "closed by the server, ", {}},
                    Case{Fault::resets, "reset", "Connection reset by peer", {}},
                    Case{Fault::never_closes,
                         "no_end",
                         "no end of file after our half-close",
                         {"--timeout", "2s"}},
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

// Lets each allocation fail, in any thread and also in noexcept functions.
TEST(EcholoadErrorTest, OutOfMemoryIsOneLine) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizers bring an allocator of their own";
  }
  const TemporaryDirectory directory;
  const std::string count_file = directory.file("count");
  const auto run_failing_from = [&](std::uint64_t first) {
    const BrokenServer server(Fault::closes_early, 1);
    write_file(count_file, std::string(sizeof(std::uint64_t), '\0'));
    return run({.arguments = {ECHOLOAD_BINARY, "--connections", "20", "--threads", "2", "--warmup",
                              "0", "--duration", "50ms", local_target(server.port())},
                .environment = {"LD_PRELOAD=" ECHOD_ALLOCATION_COUNTER,
                                "ECHOD_ALLOCATION_COUNT=" + count_file,
                                "ECHOD_FAILING_ALLOCATION=" + std::to_string(first)}});
  };
  const auto allocations_of_last_run = [&] {
    std::uint64_t count = 0;
    std::memcpy(&count, read_file(count_file).data(), sizeof count);
    return count;
  };
  EXPECT_EQ(run_failing_from(UINT64_MAX).exit_code, 1);
  const std::uint64_t allocations = allocations_of_last_run();
  ASSERT_GT(allocations, 100U) << "the counter is not in place";
  constexpr std::uint64_t kRuns = 100;
  constexpr std::uint64_t kLoader = 4;  // The first ones are the loader's.
  std::uint64_t reached = 0;            // A slow run may end before the failing allocation.
  std::uint64_t ended = 0;
  for (std::uint64_t i = 0; i < kRuns; ++i) {
    const std::uint64_t first = kLoader + i * (allocations - kLoader) / kRuns;
    const ChildResult result = run_failing_from(first);
    constexpr int kSystem = 71;
    reached += allocations_of_last_run() >= first ? 1U : 0U;
    ended += result.exit_code == kSystem ? 1 : 0;
    // If the C library has no memory, it does without or prints an error.
    EXPECT_LE(result.exit_code, kSystem) << "allocation " << first << ": " << result.err;
    EXPECT_LE(lines_of(result.err).size(), 1U) << "allocation " << first << ": " << result.err;
    EXPECT_TRUE(result.exit_code != kSystem || result.err == "echoload: not enough memory\n")
        << "allocation " << first << ": " << result.err;
  }
  EXPECT_GT(reached, kRuns / 4);
  EXPECT_GT(ended, reached * 3 / 4);
}

TEST(EcholoadErrorTest, LostConnectionsAreReopened) {
  const BrokenServer server(Fault::closes_early, 64);  // After each connection's first message.
  const LoadOutcome outcome = run_load(server.port(), {"--connections", "4", "--threads", "2"});
  EXPECT_EQ(outcome.exit_code, 1);
  const auto& lost = outcome.json["lost_connections"];
  EXPECT_GT(lost["lost"], 4);
  EXPECT_GT(lost["back"], 0);
  EXPECT_GT(lost["outage_us"]["max"], 0);
  EXPECT_EQ(outcome.json["errors"]["by_kind"]["closed_early"], lost["lost"]);
  EXPECT_EQ(outcome.json["measured_s"], outcome.json["parameters"]["duration_s"]);
}

TEST(EcholoadErrorTest, ErrorsMayBeAllowedButWrongBytesMayNot) {
  const BrokenServer closing(Fault::closes_early);
  EXPECT_EQ(run_load(closing.port(), {"--connections", "2", "--max-errors", "1M"}).exit_code, 0);
  EXPECT_EQ(run_load(closing.port(), {"--connections", "2", "--max-errors", "1"}).exit_code, 1);
  const BrokenServer corrupting(Fault::corrupts);
  EXPECT_EQ(run_load(corrupting.port(), {"--connections", "2", "--max-errors", "1M"}).exit_code, 1);
}

}  // namespace
}  // namespace echod::test
