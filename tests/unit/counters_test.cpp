#include "counters.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace echod::test {
namespace {

TEST(CountersTest, StartAtZeroAndGrowByWhatIsAdded) {
  Counters counters;
  for (std::size_t i = 0; i < kCounters; ++i) {
    EXPECT_EQ(counters.get(static_cast<Counter>(i)), 0U);
  }
  counters.add(Counter::echoes);
  counters.add(Counter::echoes);
  counters.add(Counter::bytes_sent, 5'000'000'000U);
  EXPECT_EQ(counters.get(Counter::echoes), 2U);
  EXPECT_EQ(counters.get(Counter::bytes_sent), 5'000'000'000U);
  EXPECT_EQ(counters.get(Counter::accepted), 0U);
}

TEST(CountersTest, EveryCounterHasADistinctNameThatIsNotEmpty) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCounters; ++i) {
    const std::string_view name = name_of(static_cast<Counter>(i));
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
        << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(CountersTest, EveryReasonHasACounterNamedAfterIt) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    const std::string_view name = name_of(reason);
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ("closed_" + std::string(name), name_of(counter_of(reason)));
    EXPECT_LT(static_cast<std::size_t>(counter_of(reason)), kCounters);
  }
}

TEST(CountersTest, NamesAreThoseOfTheEnumerators) {
  EXPECT_EQ(name_of(Counter::accepted), "accepted");
  EXPECT_EQ(name_of(Counter::empty_connections), "empty_connections");
  EXPECT_EQ(name_of(Counter::flips_to_write), "flips_to_write");
  EXPECT_EQ(name_of(Counter::paused_resources), "paused_resources");
  EXPECT_EQ(name_of(Counter::connection_lines_suppressed), "connection_lines_suppressed");
  EXPECT_EQ(name_of(CloseReason::peer_closed), "peer_closed");
  EXPECT_EQ(name_of(CloseReason::timed_out), "timed_out");
  EXPECT_EQ(name_of(CloseReason::stalled_write), "stalled_write");
  EXPECT_EQ(name_of(CloseReason::drain_deadline), "drain_deadline");
  EXPECT_EQ(name_of(CloseReason::forced), "forced");
  EXPECT_EQ(static_cast<std::size_t>(CloseReason::forced), kCloseReasons - 1);
}

}  // namespace
}  // namespace echod::test
