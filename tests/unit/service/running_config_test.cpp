#include "service/running_config.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

TEST(RunningConfigTest, HasTheLimitOfItsConfiguration) {
  Config config;
  config.limits.max_connections = 17;
  CommandLine options;
  options.config_file = "/somewhere/echod.toml";
  const Capacity capacity(config, 0);
  const RunningConfig running = running_config(options, config, capacity);
  EXPECT_EQ(running.limit.max_connections, 17U);
  EXPECT_EQ(running.config, config);
  EXPECT_EQ(running.options.config_file, options.config_file);
}

TEST(ConfigNameTest, IsTheFileOrSaysThatThereIsNone) {
  CommandLine options;
  EXPECT_EQ(config_name(options), "built-in defaults, no /etc/echod.toml");
  options.config_file = "/somewhere/echod.toml";
  EXPECT_EQ(config_name(options), "/somewhere/echod.toml");
}

}  // namespace
}  // namespace echod::test
