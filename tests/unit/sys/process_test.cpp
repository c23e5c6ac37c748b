#include "sys/process.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

TEST(StandardDescriptorsTest, ClosedOnesAreFilledAndStayOpen) {
  ScriptedKernel kernel;
  kernel.expect_open("/dev/null", 0);
  kernel.expect_open("/dev/null", 2);  // 1 was open.
  kernel.expect_open("/dev/null", 5);
  kernel.expect_close(5);
  sys::fill_standard_descriptors();
  kernel.verify();
  EXPECT_FALSE(kernel.was_closed(0));
  EXPECT_FALSE(kernel.was_closed(2));
}

TEST(StandardDescriptorsTest, StayClosedWithoutDevNull) {
  ScriptedKernel kernel;
  kernel.expect_open_error("/dev/null", ENOENT);
  sys::fill_standard_descriptors();
}

TEST(EnvironmentTest, EmptyVariablesAreRemoved) {
  setenv("ECHOD_TEST_EMPTY", "", 1);
  setenv("ECHOD_TEST_EQUALS", "=", 1);
  setenv("ECHOD_TEST_VALUE", "value", 1);
  sys::drop_empty_variables();
  EXPECT_EQ(std::getenv("ECHOD_TEST_EMPTY"), nullptr);
  EXPECT_STREQ(std::getenv("ECHOD_TEST_EQUALS"), "=");
  EXPECT_STREQ(std::getenv("ECHOD_TEST_VALUE"), "value");
  unsetenv("ECHOD_TEST_EQUALS");
  unsetenv("ECHOD_TEST_VALUE");
}

}  // namespace
}  // namespace echod::test
