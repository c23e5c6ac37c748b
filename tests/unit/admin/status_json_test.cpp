#include "admin/status_json.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <new>
#include <nlohmann/json.hpp>

#include "allocations.hpp"
#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

using Json = nlohmann::json;

TEST(StatusJsonTest, HasEverything) {
  const Snapshot snapshot = filled_snapshot();
  Json status = Json::parse(status_json(snapshot));
  Json counters = status["counters"];
  Json ranges = status["server_delay"]["ranges"];
  status.erase("counters");
  status["server_delay"].erase("ranges");
  EXPECT_EQ(status, Json::parse(R"({
    "version": "1.2.3", "pid": 4711, "phase": "serving", "not_ready_because": "", "unhealthy_because": "",
    "now": 1764400000.125, "started_at": 1764300000.5, "program_started_at": 1764350000.75,
    "connections": 62, "max_connections": 5000, "open_files": 77, "open_files_limit": 5100,
    "buffered_bytes": 196608, "buffer_bytes_limit": 67108864,
    "config": {"name": "/etc/echod.toml", "loaded_at": 1764300001.25, "reloads_applied": 5, "reloads_refused": 6,
               "reload_error": "", "is_reload_in_progress": false, "text": "workers = 2\n"},
    "upgrades": {"done": 12, "refused": 13, "failed": 14, "last_pause_s": 0.03125, "last_connections": 1204,
                 "earlier_version": "1.2.2", "last_error": ""},
    "listeners": [
      {"address": "[::]:2003", "connections": 30, "accepted": 7000, "waiting": 20, "queue_limit": 1024,
       "dropped": 40, "is_open": true},
      {"address": "[::]:2004", "connections": 32, "accepted": 7001, "waiting": 21, "queue_limit": 1025,
       "dropped": 41, "is_open": true}],
    "datagram_listeners": [
      {"address": "udp [::]:2005", "queued_bytes": 61, "dropped": 71, "is_open": true}],
    "workers": [
      {"worker": 0, "is_stuck": false, "connections": 21, "turns": 90000, "buffered_bytes": 65536, "stale_events": 1},
      {"worker": 1, "is_stuck": false, "connections": 41, "turns": 90001, "buffered_bytes": 131072,
       "stale_events": 2}],
    "worker_stalls": 3,
    "server_delay": {"count": 5706, "sum_s": 4.5},
    "log": {"file_level": "debug", "stderr_level": "error", "lines_dropped": 8, "write_failures": 9,
            "trouble": ["2026-11-29 10:00:00,123 - network-server - WARNING - full on [::]:2003"]},
    "process": {"cpu_user_s": 1.5, "cpu_system_s": 2.25, "resident_bytes": 12345678}})"))
      << status.dump(1);
  EXPECT_EQ(counters.size(), kCounters);
  for (std::size_t i = 0; i < kCounters; ++i) {
    EXPECT_EQ(counters[std::string(name_of(static_cast<Counter>(i)))], 3001 + 2 * i);
  }
  ASSERT_EQ(ranges.size(), DelayHistogram::kBounds.size() + 1);
  EXPECT_EQ(ranges.front(), Json::parse(R"({"le_s": 0.000005, "count": 300})"));
  EXPECT_EQ(ranges[16], Json::parse(R"({"le_s": 1.0, "count": 332})"));
  EXPECT_EQ(ranges.back(), Json::parse(R"({"le_s": null, "count": 334})"));
}

TEST(StatusJsonTest, AQueueThatIsUnknownIsNull) {
  Snapshot snapshot = filled_snapshot();
  snapshot.listeners[0].has_queue = false;
  const Json listener = Json::parse(status_json(snapshot))["listeners"][0];
  EXPECT_EQ(listener["accepted"], 7000);
  for (const char* const name : {"waiting", "queue_limit", "dropped"}) {
    EXPECT_TRUE(listener[name].is_null()) << name;
  }
}

TEST(StatusJsonTest, SaysWhyItIsNotReady) {
  Snapshot snapshot = filled_snapshot();
  snapshot.phase = Phase::draining;
  snapshot.not_ready_because = "draining";
  snapshot.unhealthy_because = "worker 1 is stuck";
  const Json status = Json::parse(status_json(snapshot));
  EXPECT_EQ(status["phase"], "draining");
  EXPECT_EQ(status["not_ready_because"], "draining");
  EXPECT_EQ(status["unhealthy_because"], "worker 1 is stuck");
}

TEST(StatusJsonTest, SaysWhyTheLastUpgradeDidNotHappenAndThatAReloadIsInProgress) {
  Snapshot snapshot = filled_snapshot();
  snapshot.service.upgrades.last_error = "it exited with code 127";
  snapshot.service.is_reload_in_progress = true;
  const Json status = Json::parse(status_json(snapshot));
  EXPECT_EQ(status["upgrades"]["last_error"], "it exited with code 127");
  EXPECT_EQ(status["config"]["is_reload_in_progress"], true);
}

TEST(StatusJsonTest, TheCountsOfReloadsAreThoseOfTheStatus) {
  const Snapshot snapshot = filled_snapshot();
  const Json counts = Json::parse(reload_counts_json(snapshot.service));
  EXPECT_EQ(counts, Json::parse(R"({"started_at": 1764300000.5,
    "config": {"reloads_applied": 5, "reloads_refused": 6},
    "upgrades": {"done": 12, "refused": 13, "failed": 14}})"));
  const Json status = Json::parse(status_json(snapshot));
  EXPECT_EQ(status["started_at"], counts["started_at"]);
  EXPECT_EQ(status["config"]["reloads_applied"], counts["config"]["reloads_applied"]);
}

TEST(StatusJsonTest, IsOneLine) {
  const std::string text = status_json(filled_snapshot());
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(StatusJsonTest, OfAProcessThatHasNothingYetHasEmptyLists) {
  const Json status = Json::parse(status_json({}));
  EXPECT_EQ(status["listeners"], Json::array());
  EXPECT_EQ(status["workers"], Json::array());
  EXPECT_EQ(status["log"]["trouble"], Json::array());
  EXPECT_EQ(status["counters"].size(), kCounters);
  EXPECT_EQ(status["phase"], "starting");
}

TEST(StatusJsonTest, SurvivesEveryTextAndNumber) {
  Snapshot snapshot = filled_snapshot();
  const std::string hostile = std::string("\xFF\xC3\"\\\n\0<script>", 14);
  snapshot.service.config_text = hostile;
  snapshot.service.reload_error = hostile;
  snapshot.log.trouble = {hostile};
  snapshot.listeners.front().address = hostile;
  snapshot.now = std::numeric_limits<double>::quiet_NaN();
  snapshot.listeners.front().accepted = std::numeric_limits<std::uint64_t>::max();
  const Json status = Json::parse(status_json(snapshot));
  const std::string expected("\uFFFD\uFFFD\"\\\n\uFFFD<script>");
  EXPECT_EQ(status["config"]["text"], expected);
  EXPECT_EQ(status["config"]["reload_error"], expected);
  EXPECT_EQ(status["log"]["trouble"][0], expected);
  EXPECT_EQ(status["listeners"][0]["address"], expected);
  EXPECT_TRUE(status["now"].is_null());
  EXPECT_EQ(status["listeners"][0]["accepted"], std::numeric_limits<std::uint64_t>::max());
}

// A library that allocates when it frees a document would end the process.
TEST(StatusJsonTest, ThrowsBadAllocWhereverMemoryRunsOut) {
  const Snapshot snapshot = filled_snapshot();
  const std::string whole = status_json(snapshot);
  for (std::uint64_t spared = 0;; ++spared) {
    try {
      const AllocationFailure none_left(0, spared);
      const std::string text = status_json(snapshot);
      EXPECT_GT(spared, 5U);
      EXPECT_EQ(text, whole);
      return;
    } catch (const std::bad_alloc&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace echod::test
