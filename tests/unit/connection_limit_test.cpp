#include "connection_limit.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace echod::test {
namespace {

// With one worker.
constexpr std::uint32_t kReserve = kReservedDescriptors + kDescriptorsPerWorker;

ConnectionLimit limit_of(std::uint32_t max_connections, std::uint32_t open_files,
                         std::uint64_t soft, std::size_t listeners = 1, std::size_t workers = 1) {
  return connection_limit({.max_connections = max_connections, .open_files = open_files},
                          {.soft = soft, .hard = soft}, listeners, workers);
}

TEST(ConnectionLimitTest, ZeroIsWhatTheDescriptorsAllowLessTheReserve) {
  const ConnectionLimit limit = limit_of(0, 0, 20000);
  EXPECT_EQ(limit.max_connections, 20000 - kReserve - 1);
  EXPECT_EQ(limit.warning, "");
}

TEST(ConnectionLimitTest, EachListenerCostsADescriptor) {
  EXPECT_EQ(limit_of(0, 0, 1024, 5).max_connections, 1024 - kReserve - 5);
}

TEST(ConnectionLimitTest, EachWorkerCostsTwoDescriptors) {
  EXPECT_EQ(limit_of(0, 0, 1024, 1, 8).max_connections, 1024 - kReservedDescriptors - 16 - 1);
}

TEST(ConnectionLimitTest, ANumberThatFitsIsTaken) {
  const ConnectionLimit limit = limit_of(500, 0, 1024);
  EXPECT_EQ(limit.max_connections, 500U);
  EXPECT_EQ(limit.warning, "");
  const ConnectionLimit exact = limit_of(1024 - kReserve - 1, 0, 1024);
  EXPECT_EQ(exact.max_connections, 1024 - kReserve - 1);
  EXPECT_EQ(exact.warning, "");
}

TEST(ConnectionLimitTest, ANumberThatDoesNotFitIsCutAndTheWarningSaysBothNumbersAndWhatToDo) {
  const ConnectionLimit limit = limit_of(10000, 0, 1024);
  EXPECT_EQ(limit.max_connections, 1024 - kReserve - 1);
  EXPECT_EQ(limit.warning,
            "the configuration asks for 10033 open files, ulimit -n allows 1024: serving at most "
            "991 connections; raise it with ulimit -n 10033, or LimitNOFILE=10033 under systemd");
}

TEST(ConnectionLimitTest, OpenFilesThatWereNotGrantedAreWarnedAboutToo) {
  const ConnectionLimit limit = limit_of(0, 100000, 20000);
  EXPECT_EQ(limit.max_connections, 20000 - kReserve - 1);
  EXPECT_NE(limit.warning.find("asks for 100000 open files"), std::string::npos);
}

TEST(ConnectionLimitTest, OfAlmostNoDescriptorsIsOneConnection) {
  EXPECT_EQ(limit_of(0, 0, 20).max_connections, 1U);
  EXPECT_EQ(limit_of(0, 0, kReserve + 1).max_connections, 1U);
  EXPECT_EQ(limit_of(0, 0, kReserve + 2).max_connections, 1U);
  EXPECT_EQ(limit_of(0, 0, kReserve + 3).max_connections, 2U);
}

TEST(ConnectionLimitTest, OfFewDescriptorsIsWarnedAboutThoughNothingElseIsAskedFor) {
  EXPECT_EQ(limit_of(0, 0, 64).warning,
            "ulimit -n allows 64 open files: serving at most 31 connections; raise it with ulimit "
            "-n, or LimitNOFILE= under systemd");
  EXPECT_EQ(limit_of(0, 0, 2 * (kReserve + 1)).warning, "");
}

TEST(ConnectionLimitTest, OfUnlimitedDescriptorsIsWhatACounterHolds) {
  constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(limit_of(0, 0, kUnlimited).max_connections, std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(limit_of(7, 0, kUnlimited).max_connections, 7U);
}

}  // namespace
}  // namespace echod::test
