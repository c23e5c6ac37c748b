#include "admin/metrics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

struct Metric {
  std::string type;
  std::string help;
  std::map<std::string, std::string> samples;  // The values by name and labels.
};

// Reads the text format as strictly as the tests need it: HELP, TYPE, then all samples of a metric.
std::map<std::string, Metric> parsed(const std::string& text) {
  std::map<std::string, Metric> metrics;
  std::string current;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (line.starts_with("# HELP ")) {
      std::string skipped;
      words >> skipped >> skipped >> current;
      EXPECT_EQ(metrics.count(current), 0U) << current << " is there twice";
      std::getline(words >> std::ws, metrics[current].help);
    } else if (line.starts_with("# TYPE ")) {
      std::string skipped;
      std::string name;
      words >> skipped >> skipped >> name >> metrics[current].type;
      EXPECT_EQ(name, current);
    } else {
      const std::size_t space = line.rfind(' ');
      EXPECT_TRUE(line.starts_with(current)) << line;
      const bool is_new =
          metrics[current].samples.emplace(line.substr(0, space), line.substr(space + 1)).second;
      EXPECT_TRUE(is_new) << line;
    }
  }
  return metrics;
}

std::map<std::string, std::string> all_samples(const Snapshot& snapshot) {
  std::map<std::string, std::string> all;
  for (const auto& [name, metric] : parsed(metrics_text(snapshot, HttpCounters{}))) {
    all.insert(metric.samples.begin(), metric.samples.end());
  }
  return all;
}

std::string total_of(Counter counter) {
  return std::to_string(3001 + 2 * static_cast<std::size_t>(counter));
}

TEST(MetricsTest, HasWhatTheAdminServerDid) {
  const HttpCounters http{.accepted = 101,
                          .answered = 102,
                          .refused = 103,
                          .failed = 104,
                          .pushed_out = 105,
                          .timed_out = 106,
                          .accept_errors = 107};
  const std::string text = metrics_text(filled_snapshot(), http);
  for (const char* sample :
       {"_connections_accepted_total 101", "_requests_total{result=\"answered\"} 102",
        "_requests_total{result=\"refused\"} 103", "_requests_total{result=\"failed\"} 104",
        "_connections_cut_total{reason=\"pushed_out\"} 105",
        "_connections_cut_total{reason=\"timed_out\"} 106", "_accept_errors_total 107"}) {
    EXPECT_NE(text.find(std::string("\nechod_admin") + sample + "\n"), std::string::npos) << sample;
  }
}

TEST(MetricsTest, HasEveryCounterOnce) {
  auto samples = all_samples(filled_snapshot());
  std::map<std::string, int> values;
  for (const auto& [name, value] : samples) {
    ++values[value];
  }
  for (std::size_t i = 0; i < kCounters; ++i) {
    EXPECT_EQ(values[total_of(static_cast<Counter>(i))], 1) << name_of(static_cast<Counter>(i));
  }
}

TEST(MetricsTest, NamesCountersByWhatTheyCount) {
  auto samples = all_samples(filled_snapshot());
  const auto expect = [&samples](const std::string& name, Counter counter) {
    EXPECT_EQ(samples[name], total_of(counter)) << name;
  };
  expect("echod_connections_accepted_total", Counter::accepted);
  expect("echod_echoes_total", Counter::echoes);
  expect("echod_received_bytes_total", Counter::bytes_received);
  expect("echod_sent_bytes_total", Counter::bytes_sent);
  expect("echod_flips_to_write_total", Counter::flips_to_write);
  expect("echod_turns_over_budget_total", Counter::turns_over_budget);
  expect("echod_unbuffered_reads_total", Counter::unbuffered_reads);
  expect("echod_splice_rounds_total", Counter::splice_rounds);
  expect("echod_splice_fallbacks_total{cause=\"read_back\"}", Counter::splice_read_backs);
  expect("echod_splice_fallbacks_total{cause=\"no_pipe\"}", Counter::splice_no_pipe);
  expect("echod_splice_fallbacks_total{cause=\"capped\"}", Counter::splice_capped);
  expect("echod_splice_fallbacks_total{cause=\"refused\"}", Counter::splice_refused);
  expect("echod_splice_pipes_too_small_total", Counter::splice_pipe_too_small);
  expect("echod_accept_pauses_total{cause=\"full\"}", Counter::paused_full);
  expect("echod_accept_pauses_total{cause=\"resources\"}", Counter::paused_resources);
  expect("echod_connections_refused_total{reason=\"accept_error\"}", Counter::accept_errors);
  expect("echod_connections_refused_total{reason=\"register_failure\"}",
         Counter::register_failures);
  expect("echod_connections_closed_total{reason=\"peer_closed\"}",
         counter_of(CloseReason::peer_closed));
  expect("echod_connections_closed_total{reason=\"forced\"}", counter_of(CloseReason::forced));
}

TEST(MetricsTest, HasTheGauges) {
  auto samples = all_samples(filled_snapshot());
  EXPECT_EQ(samples["echod_build_info{version=\"1.2.3\"}"], "1");
  EXPECT_EQ(samples["echod_ready"], "1");
  EXPECT_EQ(samples["echod_healthy"], "1");
  EXPECT_EQ(samples["echod_draining"], "0");
  EXPECT_EQ(samples["echod_connections{listener=\"[::]:2003\",worker=\"0\"}"], "10");
  EXPECT_EQ(samples["echod_connections{listener=\"[::]:2004\",worker=\"1\"}"], "21");
  EXPECT_EQ(samples["echod_max_connections"], "5000");
  EXPECT_EQ(samples["echod_listener_open{listener=\"[::]:2004\"}"], "1");
  EXPECT_EQ(samples["echod_listener_connections_accepted_total{listener=\"[::]:2004\"}"], "7001");
  EXPECT_EQ(samples["echod_listener_queue_length{listener=\"[::]:2004\"}"], "21");
  EXPECT_EQ(samples["echod_listener_queue_limit{listener=\"[::]:2004\"}"], "1025");
  EXPECT_EQ(samples["echod_listener_queue_dropped_total{listener=\"[::]:2004\"}"], "41");
  EXPECT_EQ(samples["echod_worker_stuck{worker=\"1\"}"], "0");
  EXPECT_EQ(samples["echod_worker_turns_total{worker=\"1\"}"], "90001");
  EXPECT_EQ(samples["echod_worker_stalls_total"], "3");
  EXPECT_EQ(samples["echod_stale_events_total"], "3");
  EXPECT_EQ(samples["echod_buffer_used_bytes"], "196608");
  EXPECT_EQ(samples["echod_buffer_limit_bytes"], "67108864");
  EXPECT_EQ(samples["echod_reloads_total{result=\"applied\"}"], "5");
  EXPECT_EQ(samples["echod_reloads_total{result=\"refused\"}"], "6");
  EXPECT_EQ(samples["echod_config_last_reload_successful"], "1");
  EXPECT_EQ(samples["echod_config_loaded_timestamp_seconds"], "1764300001.25");
  EXPECT_EQ(samples["echod_upgrades_total{result=\"done\"}"], "12");
  EXPECT_EQ(samples["echod_upgrades_total{result=\"refused\"}"], "13");
  EXPECT_EQ(samples["echod_upgrades_total{result=\"failed\"}"], "14");
  EXPECT_EQ(samples["echod_upgrade_pause_seconds"], "0.03125");
  EXPECT_EQ(samples["echod_program_start_time_seconds"], "1764350000.75");
  EXPECT_EQ(samples["echod_log_lines_dropped_total{cause=\"queue_full\"}"], "8");
  EXPECT_EQ(samples["echod_log_lines_dropped_total{cause=\"write_failed\"}"], "9");
  EXPECT_EQ(samples["process_cpu_seconds_total"], "3.75");
  EXPECT_EQ(samples["process_resident_memory_bytes"], "12345678");
  EXPECT_EQ(samples["process_open_fds"], "77");
  EXPECT_EQ(samples["process_max_fds"], "5100");
  EXPECT_EQ(samples["process_start_time_seconds"], "1764300000.5");
}

TEST(MetricsTest, TheRangesOfTheServerDelayAreCumulative) {
  auto samples = all_samples(filled_snapshot());
  std::uint64_t count = 0;
  for (const auto& [bound, range] :
       {std::pair("5e-06", 0U), std::pair("1e-05", 1U), std::pair("2.5e-05", 2U),
        std::pair("5e-05", 3U), std::pair("0.0001", 4U), std::pair("0.00025", 5U)}) {
    count += 300 + 2 * range;
    EXPECT_EQ(samples["echod_server_delay_seconds_bucket{le=\"" + std::string(bound) + "\"}"],
              std::to_string(count));
  }
  EXPECT_EQ(samples.count("echod_server_delay_seconds_bucket{le=\"1\"}"), 1U);
  EXPECT_EQ(samples["echod_server_delay_seconds_bucket{le=\"+Inf\"}"], "5706");
  EXPECT_EQ(samples["echod_server_delay_seconds_count"], "5706");
  EXPECT_EQ(samples["echod_server_delay_seconds_sum"], "4.5");
}

TEST(MetricsTest, SaysWhatIsWrong) {
  Snapshot snapshot = filled_snapshot();
  snapshot.phase = Phase::draining;
  snapshot.not_ready_because = "draining";
  snapshot.unhealthy_because = "worker 1 is stuck";
  snapshot.workers[1].is_stuck = true;
  snapshot.service.reload_error = "line 1: ...";
  auto samples = all_samples(snapshot);
  EXPECT_EQ(samples["echod_ready"], "0");
  EXPECT_EQ(samples["echod_healthy"], "0");
  EXPECT_EQ(samples["echod_draining"], "1");
  EXPECT_EQ(samples["echod_worker_stuck{worker=\"0\"}"], "0");
  EXPECT_EQ(samples["echod_worker_stuck{worker=\"1\"}"], "1");
  EXPECT_EQ(samples["echod_config_last_reload_successful"], "0");
}

TEST(MetricsTest, AClosedListenerHasNoQueue) {
  Snapshot snapshot = filled_snapshot();
  snapshot.listeners[0].is_open = false;
  auto samples = all_samples(snapshot);
  EXPECT_EQ(samples["echod_listener_open{listener=\"[::]:2003\"}"], "0");
  EXPECT_EQ(samples["echod_listener_connections_accepted_total{listener=\"[::]:2003\"}"], "7000");
  for (const char* const name : {"length", "limit", "dropped_total"}) {
    const std::string metric = std::string("echod_listener_queue_") + name;
    EXPECT_EQ(samples.count(metric + "{listener=\"[::]:2003\"}"), 0U);
    EXPECT_EQ(samples.count(metric + "{listener=\"[::]:2004\"}"), 1U);
  }
}

TEST(MetricsTest, AListenerWhoseQueueIsUnknownHasNone) {
  Snapshot snapshot = filled_snapshot();
  snapshot.listeners[0].has_queue = false;
  auto samples = all_samples(snapshot);
  EXPECT_EQ(samples["echod_listener_open{listener=\"[::]:2003\"}"], "1");
  for (const char* const name : {"length", "limit", "dropped_total"}) {
    EXPECT_EQ(
        samples.count("echod_listener_queue_" + std::string(name) + "{listener=\"[::]:2003\"}"),
        0U);
  }
}

// An alert on closed listeners must not fire for those that an operator has removed.
TEST(MetricsTest, RemovedListenersHaveConnectionsAndNothingElse) {
  Snapshot snapshot = filled_snapshot();
  const std::size_t before = all_samples(snapshot).size();
  snapshot.listeners.push_back(
      {.address = "removed", .accepted = 9, .is_open = false, .is_removed = true});
  snapshot.workers[0].connections.push_back(4);
  snapshot.workers[1].connections.push_back(0);
  auto samples = all_samples(snapshot);
  EXPECT_EQ(samples.size(), before + 2);
  EXPECT_EQ(samples["echod_connections{listener=\"removed\",worker=\"0\"}"], "4");
  EXPECT_EQ(samples["echod_connections{listener=\"removed\",worker=\"1\"}"], "0");
}

TEST(MetricsTest, KeepsTheConventionsOfPrometheus) {
  for (const auto& [name, metric] : parsed(metrics_text(filled_snapshot(), HttpCounters{}))) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos) << name;
    EXPECT_TRUE(name.starts_with("echod_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), metric.type == "counter") << name;
    EXPECT_TRUE(metric.help.ends_with('.')) << name;
    EXPECT_FALSE(metric.samples.empty()) << name;
  }
}

TEST(MetricsTest, LabelsAreEscaped) {
  Snapshot snapshot = filled_snapshot();
  snapshot.listeners[0].address = "a\"b\\c\r\nd\xFF\x01";
  auto samples = all_samples(snapshot);
  EXPECT_EQ(samples["echod_listener_open{listener=\"a\\\"b\\\\c \\nd\uFFFD\uFFFD\"}"], "1");
}

TEST(MetricsTest, TheNumberOfSamplesDependsOnListenersAndWorkersOnly) {
  const Snapshot busy = filled_snapshot(3, 4);
  Snapshot idle = busy;
  for (WorkerSnapshot& worker : idle.workers) {
    worker.counters = {};
    worker.server_delay = {};
  }
  std::set<std::string> names;
  for (const auto& [name, value] : all_samples(busy)) {
    names.insert(name);
  }
  for (const auto& [name, value] : all_samples(idle)) {
    EXPECT_EQ(names.erase(name), 1U) << name;
  }
  EXPECT_TRUE(names.empty());
}

TEST(MetricsTest, OfAProcessThatHasNothingYetHasNoListenersAndNoWorkers) {
  auto samples = all_samples({});
  EXPECT_EQ(samples["echod_connections_accepted_total"], "0");
  EXPECT_EQ(samples["echod_server_delay_seconds_count"], "0");
}

}  // namespace
}  // namespace echod::test
