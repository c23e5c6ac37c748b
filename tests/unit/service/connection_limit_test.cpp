#include "service/connection_limit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "service/exit_codes.hpp"

namespace echod::test {
namespace {

// With one worker and one listener.
constexpr std::uint32_t kReserve = kReservedDescriptors + kDescriptorsPerWorker + 1;

// `hard`: at least `soft`.
ConnectionLimit limit_of(std::uint32_t max_connections, std::uint32_t open_files,
                         std::uint64_t soft, std::uint64_t hard = 0) {
  const LimitsConfig limits{.max_connections = max_connections, .open_files = open_files};
  const sys::OpenFilesLimit limit{.soft = soft, .hard = std::max(soft, hard)};
  return connection_limit(limits, limit,
                          usable_descriptors(limits, limit, reserved_descriptors(1, 1, 0)));
}

std::string refusal_of(std::uint64_t soft, std::uint32_t open_files = 0) {
  try {
    (void)limit_of(0, open_files, soft);
  } catch (const StartupError& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration) << "systemd would restart it for ever";
    return error.what();
  }
  return "accepted";
}

TEST(ConnectionLimitTest, ZeroMeansAllDescriptorsExceptTheReservedOnes) {
  const ConnectionLimit limit = limit_of(0, 0, 20000);
  EXPECT_EQ(limit.max_connections, 20000 - kReserve);
  EXPECT_EQ(limit.warning, "");
}

TEST(ConnectionLimitTest, ListenersWorkersAndInheritedDescriptorsAreReserved) {
  const std::uint64_t one = reserved_descriptors(1, 1, 0);
  EXPECT_EQ(one, kReserve);
  EXPECT_EQ(reserved_descriptors(5, 1, 0), one + 4);
  EXPECT_EQ(reserved_descriptors(1, 8, 0), one + 14);
  EXPECT_EQ(reserved_descriptors(1, 1, 60), one + 60);
}

TEST(ConnectionLimitTest, ALimitThatFitsIsUsed) {
  const ConnectionLimit limit = limit_of(500, 0, 1024);
  EXPECT_EQ(limit.max_connections, 500U);
  EXPECT_EQ(limit.warning, "");
  const ConnectionLimit exact = limit_of(1024 - kReserve, 0, 1024);
  EXPECT_EQ(exact.max_connections, 1024 - kReserve);
  EXPECT_EQ(exact.warning, "");
}

TEST(ConnectionLimitTest, ALimitThatDoesNotFitIsReducedAndTheWarningSaysWhatToDo) {
  const ConnectionLimit limit = limit_of(10000, 0, 1024);
  EXPECT_EQ(limit.max_connections, 1024 - kReserve);
  EXPECT_EQ(limit.warning,
            "the configuration needs 10033 open files, but ulimit -n allows 1024: serving at most "
            "991 connections; raise it with ulimit -n 10033, or LimitNOFILE=10033 under systemd");
}

TEST(ConnectionLimitTest, OpenFilesThatWereNotGrantedCauseAWarning) {
  const ConnectionLimit limit = limit_of(0, 100000, 20000);
  EXPECT_EQ(limit.max_connections, 20000 - kReserve);
  EXPECT_NE(limit.warning.find("needs 100000 open files"), std::string::npos);
}

TEST(ConnectionLimitTest, TheWarningNamesFsNrOpenAboveItsUsualValue) {
  EXPECT_TRUE(limit_of(0, 1'048'576, 20000).warning.ends_with("under systemd"));
  EXPECT_TRUE(limit_of(0, 1'048'577, 20000).warning.ends_with("; fs.nr_open must allow it too"));
}

TEST(ConnectionLimitTest, TooFewDescriptorsAreRefusedWithTheNumberNeeded) {
  EXPECT_EQ(refusal_of(12),
            "ulimit -n allows 12 open files, but serving one connection needs 34; raise it with "
            "ulimit -n, or LimitNOFILE= under systemd");
  EXPECT_NE(refusal_of(kReserve), "accepted");
  EXPECT_EQ(refusal_of(kReserve + 1), "accepted");
  EXPECT_EQ(limit_of(0, 0, kReserve + 1).max_connections, 1U);
  EXPECT_EQ(limit_of(0, 0, kReserve + 2).max_connections, 2U);
}

TEST(ConnectionLimitTest, ARefusalNamesTheKeyIfItsValueIsTooSmall) {
  EXPECT_TRUE(refusal_of(20, 20).ends_with("needs 34; raise limits.open_files"));
  EXPECT_TRUE(
      refusal_of(20, 64).ends_with("; raise it with ulimit -n, or LimitNOFILE= under "
                                   "systemd"));
}

TEST(ConnectionLimitTest, FewDescriptorsCauseAWarningEvenWithoutAConfiguredLimit) {
  EXPECT_EQ(limit_of(0, 0, 64).warning,
            "ulimit -n allows 64 open files: serving at most 31 connections; raise it with ulimit "
            "-n, or LimitNOFILE= under systemd");
  EXPECT_EQ(limit_of(0, 0, 2 * kReserve).warning, "");
}

TEST(ConnectionLimitTest, AHardLimitThatIsNotGrantedCausesAWarning) {
  EXPECT_EQ(limit_of(0, 0, 1024, 2'000'000).warning,
            "the system refuses to raise ulimit -n from 1024 to its hard limit, 2000000: serving "
            "at most 991 connections; raise it with ulimit -n, or LimitNOFILE= under systemd");
  EXPECT_EQ(limit_of(500, 0, 1024, 2'000'000).warning, "") << "500 fit";
  EXPECT_EQ(limit_of(0, 1000, 1000, 2'000'000).warning, "") << "1000 were configured";
}

TEST(ConnectionLimitTest, UnlimitedDescriptorsGiveTheLargestCounterValue) {
  constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(limit_of(0, 0, kUnlimited).max_connections, std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(limit_of(7, 0, kUnlimited).max_connections, 7U);
}

TEST(ConnectionLimitTest, AUdpListenerHasADescriptorForEachWorker) {
  Config config;
  EXPECT_EQ(descriptors_of_listeners(config, 8), 1U);
  config.listen.resize(3);
  config.listen[1].protocol = Protocol::udp;
  EXPECT_EQ(descriptors_of_listeners(config, 8), 10U);
}

TEST(ConnectionLimitTest, AUnixListenerHasALockToo) {
  Config config;
  config.listen[0].path = "/run/a.sock";
  EXPECT_EQ(descriptors_of_listeners(config, 8), 2U);
}

// The pipes of all workers.
std::size_t pipes_of(std::uint64_t usable, std::size_t workers, bool splice = true) {
  Config config;
  config.buffers.splice = splice;
  return splice_settings(config, usable, workers).pipes * workers;
}

TEST(SplicePipesTest, TakeAPartOfTheUsableDescriptors) {
  EXPECT_EQ(pipes_of(1'000'000, 1), 128U);
  EXPECT_EQ(pipes_of(1'000'000, 3), 126U);
  EXPECT_EQ(pipes_of(640, 1), 10U);
  EXPECT_EQ(pipes_of(640, 1, false), 0U);
}

TEST(SplicePipesTest, AreAtLeastOneForEachOfMoreThan128Workers) {
  EXPECT_EQ(pipes_of(1'000'000, 128), 128U);
  EXPECT_EQ(pipes_of(1'000'000, 129), 129U);
  EXPECT_EQ(pipes_of(1'000'000, 1024), 1024U);
}

// Pipes always leave a descriptor for a connection.
TEST(SplicePipesTest, NeverTakeTheLastDescriptors) {
  for (std::uint64_t usable = 1; usable <= 1000; ++usable) {
    for (std::size_t workers = 1; workers <= 9; ++workers) {
      ASSERT_LT(pipes_of(usable, workers) * kDescriptorsPerPipe, usable) << workers << " workers";
    }
  }
}

}  // namespace
}  // namespace echod::test
