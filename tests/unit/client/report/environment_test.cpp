#include "client/report/environment.hpp"

#include <gtest/gtest.h>

#include "one_cpu.hpp"

namespace echod::client {
namespace {

TEST(ClientEnvironmentTest, HasOnlyTheCpusThatTheAffinityAllows) {
  const test::OneCpu one;
  EXPECT_EQ(environment().cpus, 1U);
}

}  // namespace
}  // namespace echod::client
