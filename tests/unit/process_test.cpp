#include "process.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

TEST(StandardDescriptorsTest, ThatAreClosedAreFilledAndStayOpen) {
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

TEST(StandardDescriptorsTest, WithoutADevNullAreLeftAsTheyAre) {
  ScriptedKernel kernel;
  kernel.expect_open_error("/dev/null", ENOENT);
  sys::fill_standard_descriptors();
}

}  // namespace
}  // namespace echod::test
