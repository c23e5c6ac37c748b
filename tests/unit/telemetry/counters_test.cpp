#include "telemetry/counters.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

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

// The names that operators and their tools know: renaming a counter is a change to be seen here.
TEST(CountersTest, EveryNameIsThatOfItsEnumerator) {
#define NAMED(enumerator) std::pair(Counter::enumerator, #enumerator)
#define CLOSED(reason) std::pair(counter_of(CloseReason::reason), "closed_" #reason)
  const std::map<Counter, std::string> names{
      NAMED(accepted),
      NAMED(accepts_declined),
      NAMED(echoes),
      NAMED(bytes_received),
      NAMED(bytes_sent),
      NAMED(bytes_lost),
      NAMED(bytes_discarded),
      NAMED(empty_connections),
      NAMED(flips_to_write),
      NAMED(turns_over_budget),
      NAMED(unbuffered_reads),
      NAMED(splice_rounds),
      NAMED(bytes_spliced),
      NAMED(splice_enters),
      NAMED(splice_leaves),
      NAMED(splice_read_backs),
      NAMED(splice_no_pipe),
      NAMED(splice_pipe_too_small),
      NAMED(splice_capped),
      NAMED(splice_refused),
      NAMED(paused_full),
      NAMED(paused_resources),
      NAMED(accept_errors),
      NAMED(register_failures),
      NAMED(connection_lines_suppressed),
      NAMED(datagrams_received),
      NAMED(datagrams_echoed),
      NAMED(datagram_bytes_received),
      NAMED(datagram_bytes_sent),
      NAMED(datagram_trains),
      NAMED(datagram_trains_refused),
      NAMED(datagram_receive_errors),
      NAMED(datagrams_dropped_incomplete),
      NAMED(datagrams_dropped_port_zero),
      NAMED(datagrams_dropped_service_port),
      NAMED(datagrams_dropped_own_port),
      NAMED(datagrams_dropped_to_many),
      NAMED(datagrams_dropped_source_address),
      NAMED(datagrams_dropped_source_rate),
      NAMED(datagrams_dropped_not_sent),
      CLOSED(peer_closed),
      CLOSED(reset),
      CLOSED(timed_out),
      CLOSED(io_error),
      CLOSED(idle_timeout),
      CLOSED(stalled_write),
      CLOSED(drained),
      CLOSED(linger_timeout),
      CLOSED(drain_deadline),
      CLOSED(forced),
      CLOSED(by_operator),
  };
#undef NAMED
#undef CLOSED
  EXPECT_EQ(names.size(), kCounters);
  for (const auto& [counter, name] : names) {
    EXPECT_EQ(name_of(counter), name);
  }
}

}  // namespace
}  // namespace echod::test
