#include "sys/open_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class OpenFilesTest : public testing::Test {
 protected:
  OpenFilesTest() { kernel_.set_open_files(1024, 20000); }

  static constexpr std::uint64_t kMost = 1'048'576;  // fs.nr_open.
  ScriptedKernel kernel_;
};

TEST_F(OpenFilesTest, ZeroRaisesTheSoftLimitToTheHardOne) {
  kernel_.expect_setrlimit(20000);
  const sys::OpenFilesLimit limit = sys::set_open_files(0, kMost);
  EXPECT_EQ(limit.soft, 20000U);
  EXPECT_EQ(limit.hard, 20000U);
}

TEST_F(OpenFilesTest, ANumberWithinTheHardLimitIsSet) {
  kernel_.expect_setrlimit(5000);
  const sys::OpenFilesLimit limit = sys::set_open_files(5000, kMost);
  EXPECT_EQ(limit.soft, 5000U);
  EXPECT_EQ(limit.hard, 20000U);
}

TEST_F(OpenFilesTest, ANumberAboveTheHardLimitRaisesBothIfTheProcessMay) {
  kernel_.expect_setrlimit(1'000'000);
  EXPECT_EQ(sys::set_open_files(1'000'000, kMost).soft, 1'000'000U);
}

TEST_F(OpenFilesTest, ANumberAboveTheHardLimitBecomesTheHardLimitIfTheProcessMayNot) {
  kernel_.expect_setrlimit(1'000'000, EPERM);
  kernel_.expect_setrlimit(20000);
  EXPECT_EQ(sys::set_open_files(1'000'000, kMost).soft, 20000U);
}

TEST_F(OpenFilesTest, ARefusedChangeKeepsTheLimitsInForce) {
  kernel_.expect_setrlimit(1'000'000, EPERM);
  kernel_.expect_setrlimit(20000, EPERM);
  const sys::OpenFilesLimit limit = sys::set_open_files(1'000'000, kMost);
  EXPECT_EQ(limit.soft, 1024U);
  EXPECT_EQ(limit.hard, 20000U);
  EXPECT_EQ(sys::open_files_limit().soft, 1024U);
}

// `sysctl fs.nr_open` may have been lowered after the process got its limit.
TEST_F(OpenFilesTest, AHardLimitAboveTheKernelsMaximumIsLoweredToIt) {
  kernel_.set_open_files(1024, 2'000'000);
  kernel_.expect_setrlimit(2'000'000, EPERM);
  kernel_.expect_setrlimit(kMost);
  const sys::OpenFilesLimit limit = sys::set_open_files(0, kMost);
  EXPECT_EQ(limit.soft, kMost);
  EXPECT_EQ(limit.hard, kMost);
}

TEST_F(OpenFilesTest, TheWantedNumberIsSetEvenIfTheHardLimitIsAboveTheKernelsMaximum) {
  kernel_.set_open_files(1024, 2'000'000);
  kernel_.expect_setrlimit(5000, EPERM);
  kernel_.expect_setrlimit(5000);
  EXPECT_EQ(sys::set_open_files(5000, kMost).soft, 5000U);
}

TEST(OpenDescriptorsTest, AreCounted) {
  const std::size_t before = sys::open_descriptors();
  EXPECT_GE(before, 3U);
  const std::array<int, 2> more{dup(STDERR_FILENO), dup(STDERR_FILENO)};
  EXPECT_EQ(sys::open_descriptors(), before + 2);
  for (const int fd : more) {
    (void)close(fd);
  }
  EXPECT_EQ(sys::open_descriptors(), before);
}

}  // namespace
}  // namespace echod::test
