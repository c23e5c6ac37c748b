// The contradictions that need several options. command_line_test.cpp has all messages.
#include "client/options/contradiction.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

TEST(ContradictionTest, TheDefaultsContradictNothing) {
  Options options;
  EXPECT_EQ(contradiction(options), std::nullopt);
  options.transport = Transport::udp;
  EXPECT_EQ(contradiction(options), std::nullopt);
}

TEST(ContradictionTest, MessagesThatAreAllDueWithinTheWarmUpMeasureNothing) {
  Options options;
  options.plan.rate_per_s = 10;
  options.plan.warmup = std::chrono::seconds(1);
  options.plan.messages = 10;
  EXPECT_EQ(contradiction(options),
            "all --messages are due within the --warmup: nothing would be measured");
  options.plan.messages = 11;
  EXPECT_EQ(contradiction(options), std::nullopt) << "one is due when the warm-up ends";
}

TEST(ContradictionTest, OptionsOfDatagramsContradictOtherServersOnly) {
  Options options;
  options.given.burst = options.plan.burst = options.plan.depth = 2;
  EXPECT_EQ(contradiction(options), "--burst is about datagrams: give a server udp://HOST:PORT");
  options.transport = Transport::udp;
  EXPECT_EQ(contradiction(options), std::nullopt);
}

TEST(ContradictionTest, TwoOutputsCannotShareAFile) {
  Options options;
  options.json_file = "a";
  options.html_file = "b";
  EXPECT_EQ(contradiction(options), std::nullopt);
  options.html_file = "a";
  EXPECT_EQ(contradiction(options), "--json and --html cannot both go to a");
}

}  // namespace
}  // namespace echod::client
