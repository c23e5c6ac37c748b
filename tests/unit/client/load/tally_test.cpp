#include "client/load/tally.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace echod::client {
namespace {

using std::chrono::milliseconds;

TEST(TallyTest, CountsErrorsAndMismatches) {
  Tally tally;
  EXPECT_EQ(tally.errors_in_all(), 0U);
  tally.count(LoadError::lost, "a");
  tally.count(LoadError::truncated, "b");
  tally.count(LoadError::reset, "c");
  tally.count(LoadError::reset, "d");
  EXPECT_EQ(tally.errors_in_all(), 4U);
  EXPECT_EQ(tally.mismatches(), 2U);
  EXPECT_EQ(tally.errors[static_cast<std::size_t>(LoadError::reset)], 2U);
  EXPECT_EQ(tally.detail_lines(), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST(TallyTest, KeepsTheFirstDetailsAndCountsTheRest) {
  Tally tally;
  for (int i = 0; i < 100; ++i) {
    tally.count(LoadError::reset, std::to_string(i));
  }
  EXPECT_EQ(tally.errors_in_all(), 100U);
  ASSERT_EQ(tally.details.size(), Tally::kMostDetails);
  EXPECT_EQ(tally.detail_lines().back(), "19");
}

TEST(TallyTest, AddsUp) {
  Tally one;
  one.connected = 1;
  one.echoes = 2;
  one.bytes_sent = 3;
  one.bytes_received = 4;
  one.not_sent = 5;
  one.lost = 6;
  one.outage.record(milliseconds(8));
  one.due_while_lost = 7;
  one.receive_lag.record(milliseconds(9));
  one.service = {.messages = 8, .total = milliseconds(9)};
  one.retransmissions = 9;
  one.round_trip.record(milliseconds(10));
  one.connect.record(milliseconds(11));
  one.first_byte.record(milliseconds(12));
  one.latency.record(milliseconds(6));
  one.send_lag.record(milliseconds(7));
  one.count(LoadError::lost, "one");
  Tally other;
  other.connected = 10;
  other.echoes = 20;
  other.bytes_sent = 30;
  other.bytes_received = 40;
  other.not_sent = 50;
  other.lost = 60;
  other.outage.record(milliseconds(80));
  other.due_while_lost = 70;
  other.receive_lag.record(milliseconds(90));
  other.service = {.messages = 80, .total = milliseconds(90)};
  other.retransmissions = 90;
  other.round_trip.record(milliseconds(100));
  other.connect.record(milliseconds(110));
  other.first_byte.record(milliseconds(120));
  other.latency.record(milliseconds(60));
  other.send_lag.record(milliseconds(70));
  for (int i = 0; i < 30; ++i) {
    other.count(LoadError::stalled, "other");
  }
  one.add(other);
  EXPECT_EQ(one.connected, 11U);
  EXPECT_EQ(one.echoes, 22U);
  EXPECT_EQ(one.bytes_sent, 33U);
  EXPECT_EQ(one.bytes_received, 44U);
  EXPECT_EQ(one.not_sent, 55U);
  EXPECT_EQ(one.retransmissions, 99U);
  EXPECT_EQ(one.round_trip.max(), milliseconds(100));
  EXPECT_EQ(one.connect.max(), milliseconds(110));
  EXPECT_EQ(one.first_byte.max(), milliseconds(120));
  EXPECT_EQ(one.latency.count(), 2U);
  EXPECT_EQ(one.latency.max(), milliseconds(60));
  EXPECT_EQ(one.send_lag.max(), milliseconds(70));
  EXPECT_EQ(one.errors_in_all(), 31U);
  EXPECT_EQ(one.mismatches(), 1U);
  ASSERT_EQ(one.details.size(), Tally::kMostDetails);
  EXPECT_EQ(one.detail_lines().front(), "one");
  EXPECT_EQ(one.detail_lines().back(), "other");
  EXPECT_EQ(one.lost, 66U);
  EXPECT_EQ(one.outage.max(), milliseconds(80));
  EXPECT_EQ(one.due_while_lost, 77U);
  EXPECT_EQ(one.receive_lag.max(), milliseconds(90));
  EXPECT_EQ(one.service.messages, 88U);
  EXPECT_EQ(one.service.total, milliseconds(99));
}

TEST(TallyTest, TheSilenceOfAllIsTheShortestOfThoseThatSent) {
  Tally sum;
  Tally one;
  one.datagrams.sent = 1;
  one.silence = milliseconds(30);
  sum.add(one);
  EXPECT_EQ(sum.silence, milliseconds(30));
  sum.add(Tally());
  EXPECT_EQ(sum.silence, milliseconds(30)) << "it sent nothing";
  one.silence = milliseconds(40);
  sum.add(one);
  EXPECT_EQ(sum.silence, milliseconds(30));
  one.silence = milliseconds(0);
  sum.add(one);
  EXPECT_EQ(sum.silence, milliseconds(0));
}

TEST(TallyTest, StepsAddUp) {
  StepTally one{.echoes = 1, .latency = {}, .service = {.messages = 2, .total = milliseconds(3)}};
  StepTally other{
      .echoes = 10, .latency = {}, .service = {.messages = 20, .total = milliseconds(30)}};
  other.latency.record(milliseconds(4));
  one.add(other);
  EXPECT_EQ(one.echoes, 11U);
  EXPECT_EQ(one.latency.max(), milliseconds(4));
  EXPECT_EQ(one.service.messages, 22U);
  EXPECT_EQ(one.service.total, milliseconds(33));
}

TEST(TallyTest, TheFirstErrorsOfAllThreadsAreKeptAndNotThoseOfTheFirstThread) {
  Tally one;
  Tally other;
  for (std::size_t i = 0; i < Tally::kMostDetails; ++i) {
    one.count(LoadError::reset, "one");
    other.count(LoadError::reset, "other");
  }
  one.add(other);
  const std::vector<std::string> lines = one.detail_lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "one"), Tally::kMostDetails / 2);
}

}  // namespace
}  // namespace echod::client
