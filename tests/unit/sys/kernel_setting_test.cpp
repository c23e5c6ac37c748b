#include "sys/kernel_setting.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

TEST(KernelSettingTest, IsReadFromProc) {
  EXPECT_GT(sys::kernel_setting("kernel/pid_max", 0), 0U);
}

TEST(KernelSettingTest, IsTheDefaultIfItCannotBeRead) {
  EXPECT_EQ(sys::kernel_setting("kernel/nonsense", 7), 7U);
  EXPECT_EQ(sys::kernel_setting("kernel/ostype", 7), 7U) << "Linux is no number";
}

}  // namespace
}  // namespace echod::test
