#include "open_files.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class OpenFilesTest : public testing::Test {
 protected:
  OpenFilesTest() { kernel_.set_open_files(1024, 20000); }

  ScriptedKernel kernel_;
};

TEST_F(OpenFilesTest, ZeroRaisesTheSoftLimitToTheHardOne) {
  kernel_.expect_setrlimit(20000);
  const sys::OpenFilesLimit limit = sys::set_open_files(0);
  EXPECT_EQ(limit.soft, 20000U);
  EXPECT_EQ(limit.hard, 20000U);
}

TEST_F(OpenFilesTest, ANumberWithinTheHardLimitIsSet) {
  kernel_.expect_setrlimit(5000);
  const sys::OpenFilesLimit limit = sys::set_open_files(5000);
  EXPECT_EQ(limit.soft, 5000U);
  EXPECT_EQ(limit.hard, 20000U);
}

TEST_F(OpenFilesTest, ANumberBeyondTheHardLimitRaisesBothIfTheProcessMay) {
  kernel_.expect_setrlimit(1'000'000);
  EXPECT_EQ(sys::set_open_files(1'000'000).soft, 1'000'000U);
}

TEST_F(OpenFilesTest, ANumberBeyondTheHardLimitBecomesTheHardLimitIfTheProcessMayNot) {
  kernel_.expect_setrlimit(1'000'000, EPERM);
  kernel_.expect_setrlimit(20000);
  EXPECT_EQ(sys::set_open_files(1'000'000).soft, 20000U);
}

TEST_F(OpenFilesTest, WhatIsRefusedAltogetherLeavesTheLimitsInForce) {
  kernel_.expect_setrlimit(1'000'000, EPERM);
  kernel_.expect_setrlimit(20000, EPERM);
  const sys::OpenFilesLimit limit = sys::set_open_files(1'000'000);
  EXPECT_EQ(limit.soft, 1024U);
  EXPECT_EQ(limit.hard, 20000U);
  EXPECT_EQ(sys::open_files_limit().soft, 1024U);
}

}  // namespace
}  // namespace echod::test
