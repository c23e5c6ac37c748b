#include "client/echoctl/rates.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

Status first_status() {
  return parse_status(test::status_example().dump());
}

// Two seconds later, with these growths.
Status two_seconds_later() {
  Status status = first_status();
  status.now += 2;
  status.counters["accepted"] += 20;
  status.counters["echoes"] += 1000;
  status.counters["bytes_received"] += 4096;
  status.counters["bytes_sent"] += 2048;
  status.counters["closed_reset"] += 2;
  status.counters["closed_peer_closed"] += 10;
  status.cpu_user_s += 1;
  status.cpu_system_s += 2;
  status.server_delay.ranges[0].count += 1;
  status.server_delay.ranges[1].count += 99;
  return status;
}

TEST(RatesTest, AreTheGrowthPerSecondOfEchodsClock) {
  const auto rates = rates_between(first_status(), two_seconds_later());
  ASSERT_TRUE(rates);
  EXPECT_EQ(rates->seconds, 2);
  EXPECT_EQ(rates->accepted, 10);
  EXPECT_EQ(rates->echoes, 500);
  EXPECT_EQ(rates->bytes_received, 2048);
  EXPECT_EQ(rates->bytes_sent, 1024);
  EXPECT_EQ(rates->closed, 6);
  EXPECT_EQ(rates->cpu_share, 1.5);
  EXPECT_EQ(rates->delays.count(), 100U);
}

TEST(RatesTest, ClosesAreListedByReasonTheMostFrequentFirst) {
  const auto rates = rates_between(first_status(), two_seconds_later());
  ASSERT_TRUE(rates);
  const std::vector<std::pair<std::string, double>> expected{{"peer_closed", 5}, {"reset", 1}};
  EXPECT_EQ(rates->closed_by_reason, expected);
}

TEST(RatesTest, ARestartHasNoRates) {
  Status other_process = two_seconds_later();
  other_process.pid += 1;
  EXPECT_FALSE(rates_between(first_status(), other_process));
  Status same_pid = two_seconds_later();
  same_pid.started_at += 1;
  EXPECT_FALSE(rates_between(first_status(), same_pid));
}

TEST(RatesTest, AClockThatDoesNotAdvanceHasNoRates) {
  EXPECT_FALSE(rates_between(first_status(), first_status()));
  Status earlier = first_status();
  earlier.now -= 1;
  EXPECT_FALSE(rates_between(first_status(), earlier));
}

TEST(RatesTest, AreNeverNegative) {
  const auto rates = rates_between(two_seconds_later(), [] {
    Status status = first_status();
    status.now += 4;
    return status;
  }());
  ASSERT_TRUE(rates);
  EXPECT_EQ(rates->accepted, 0);
  EXPECT_EQ(rates->closed, 0);
  EXPECT_TRUE(rates->closed_by_reason.empty());
  EXPECT_EQ(rates->cpu_share, 0);
  EXPECT_EQ(rates->delays.count(), 0U);
}

TEST(RatesTest, ACounterThatIsNewCountsFromZero) {
  Status later = two_seconds_later();
  later.counters["closed_forced"] = 8;
  EXPECT_EQ(rates_between(first_status(), later)->closed, 10);
}

Delays delays(const std::vector<std::uint64_t>& counts) {
  Delays some;
  for (const std::uint64_t count : counts) {
    some.ranges.push_back({.most_s = std::nullopt, .count = count});
  }
  some.ranges[0].most_s = 0.001;
  some.ranges[1].most_s = 0.003;
  return some;
}

TEST(QuantileTest, IsInTheRangeThatHasTheSample) {
  EXPECT_DOUBLE_EQ(*quantile(delays({100, 0, 0}), 0.5), 0.0005);
  EXPECT_DOUBLE_EQ(*quantile(delays({0, 100, 0}), 0.5), 0.002);
  EXPECT_DOUBLE_EQ(*quantile(delays({50, 50, 0}), 0.5), 0.001);
  EXPECT_DOUBLE_EQ(*quantile(delays({50, 50, 0}), 0.99), 0.00296);
  EXPECT_EQ(quantile_text(delays({0, 100, 0}), 0.5), "2 ms");
}

TEST(QuantileTest, OfTheRangeWithoutABoundIsTheBoundBefore) {
  EXPECT_DOUBLE_EQ(*quantile(delays({1, 1, 98}), 0.5), 0.003);
  EXPECT_EQ(quantile_text(delays({1, 1, 98}), 0.5), "> 3 ms");
}

TEST(QuantileTest, WithoutSamplesThereIsNone) {
  EXPECT_FALSE(quantile(delays({0, 0, 0}), 0.5));
  EXPECT_FALSE(quantile(Delays(), 0.5));
  EXPECT_EQ(quantile_text(Delays(), 0.99), "-");
}

}  // namespace
}  // namespace echod::ctl
