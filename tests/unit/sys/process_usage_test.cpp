#include "sys/process_usage.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace echod::test {
namespace {

TEST(ProcessUsageTest, CountsTheCpuTimeOfTheProcess) {
  const auto before = sys::process_usage().cpu_user;
  while (sys::process_usage().cpu_user < before + std::chrono::milliseconds(20)) {
  }
  EXPECT_GT(sys::process_usage().cpu_user, before);
}

TEST(ProcessUsageTest, CountsMemoryThatIsTouched) {
  constexpr std::size_t kBytes = std::size_t{32} << 20U;
  const auto before = sys::process_usage().resident_bytes;
  const std::vector<char> memory(kBytes, 'x');
  EXPECT_GE(sys::process_usage().resident_bytes, before + kBytes * 9 / 10);
  EXPECT_EQ(memory.back(), 'x');
}

TEST(ProcessUsageTest, ReadsTheWallClock) {
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch());
  EXPECT_NEAR(sys::unix_seconds(), now.count(), 60);
}

}  // namespace
}  // namespace echod::test
