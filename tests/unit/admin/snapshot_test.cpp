#include "admin/snapshot.hpp"

#include <gtest/gtest.h>

#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

TEST(SnapshotTest, AddsUpWhatTheWorkersHave) {
  const Snapshot snapshot = filled_snapshot();
  const CounterValues totals = total_counters(snapshot);
  for (std::size_t i = 0; i < kCounters; ++i) {
    EXPECT_EQ(totals[i], 3001 + 2 * i);
  }
  EXPECT_EQ(total_server_delay(snapshot).counts[4], 308U);
  EXPECT_EQ(total_server_delay(snapshot).sum, std::chrono::milliseconds(4500));
  EXPECT_EQ(open_connections(snapshot.workers[1]), 20U + 21U);
  EXPECT_EQ(open_connections(snapshot), 10U + 11U + 20U + 21U);
  EXPECT_EQ(buffered_bytes(snapshot), 3U * 65536U);
}

TEST(SnapshotTest, KnowsWhichListenerAConnectionCameFrom) {
  const Snapshot snapshot = filled_snapshot();
  EXPECT_EQ(connections_of_listener(snapshot.workers[1], 1), 21U);
  EXPECT_EQ(connections_of_listener(snapshot, 1), 11U + 21U);
  EXPECT_EQ(connections_of_listener(snapshot, 2), 0U);
}

TEST(SnapshotTest, NamesEveryPhase) {
  EXPECT_EQ(name_of(Phase::starting), "starting");
  EXPECT_EQ(name_of(Phase::serving), "serving");
  EXPECT_EQ(name_of(Phase::draining), "draining");
}

}  // namespace
}  // namespace echod::test
