#include "client/options/option_values.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

TEST(OptionValuesTest, StepsAreEquallyFarApartUpToTheLastRate) {
  const auto steps = parse_steps("1k:2.6k:500@5s");
  ASSERT_TRUE(steps);
  EXPECT_EQ(steps->rates_per_s, (std::vector<double>{1000, 1500, 2000, 2500}));
  EXPECT_EQ(steps->time, std::chrono::seconds(5));
  EXPECT_FALSE(parse_steps("1:101:1@1s")) << "101 steps";
  EXPECT_FALSE(parse_steps(""));
}

TEST(OptionValuesTest, ALimitIsOnALatencyARateErrorsOrALoss) {
  const auto latency = parse_limit("p99.9=2ms");
  ASSERT_TRUE(latency);
  EXPECT_EQ(latency->kind, Limit::Kind::latency);
  EXPECT_EQ(latency->percent, 99.9);
  EXPECT_EQ(latency->most, std::chrono::milliseconds(2));
  EXPECT_EQ(parse_limit("rate>=5")->kind, Limit::Kind::rate);
  EXPECT_EQ(parse_limit("errors<=5")->kind, Limit::Kind::errors);
  EXPECT_EQ(parse_limit("loss=5%")->kind, Limit::Kind::loss);
  EXPECT_EQ(parse_limit("max=1s")->percent, 100);
  for (const char* const wrong : {"", "p99", "p100=1s", "rate=5", "errors>=5", "loss=5", "max=0"}) {
    EXPECT_FALSE(parse_limit(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace echod::client
