// Merging n parts gives exactly the counts and histograms of one run.
#include "client/report/run_merge.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "client/report/json_names.hpp"
#include "client/report/json_report.hpp"
#include "client/report/summary.hpp"
#include "deadline.hpp"
#include "load_results.hpp"
#include "seed.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using test::kBegan;
using test::MachineRun;

std::string json_of(const RunRecord& record) {
  return run_json(record.options, record.result, test::some_environment(),
                  verdict_on_merged(record), record.parts);
}

// Merges the results of `runs`.
RunRecord merged(const std::vector<MachineRun>& runs) {
  std::vector<RunRecord> records;
  for (const MachineRun& run : runs) {
    records.push_back(read_run(std::to_string(records.size()) + ".json", run.json()));
  }
  return merge(records);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

// Deals samples of all magnitudes out to n runs. Merged, they equal one run that has all samples.
TEST(RunMergeTest, MergedPartsEqualOneRunExactly) {
  std::mt19937_64 random(test::announce_seed());
  std::lognormal_distribution<double> distribution(11, 3);
  for (const std::size_t parts : {1U, 2U, 3U, 10U}) {
    MachineRun whole;
    std::vector<MachineRun> runs(parts);
    for (MachineRun& run : runs) {
      run.result.tally = Tally();
      run.result.client_cpu = nanoseconds(static_cast<std::int64_t>(random() % 1'000'000));
    }
    whole.options.plan.seed = runs.front().options.plan.seed;
    whole.result.tally = Tally();
    whole.result.client_cpu = nanoseconds(0);
    for (int i = 0; i < (test::kSanitized ? 500 : 5000); ++i) {
      const nanoseconds sample(static_cast<std::int64_t>(distribution(random)));
      MachineRun& run = runs[random() % parts];
      const auto& [name, member] = kHistogramNames[random() % kHistogramNames.size()];
      (run.result.tally.*member).record(sample);
      (whole.result.tally.*member).record(sample);
      const auto& [pointer, count] = kCountNames[random() % kCountNames.size()];
      run.result.tally.*count += 7;
      whole.result.tally.*count += 7;
      run.result.tally.service.total += sample;
      whole.result.tally.service.total += sample;
    }
    const auto times = static_cast<std::uint32_t>(parts);
    whole.options.plan.connections *= times;
    whole.options.plan.active *= times;
    whole.options.plan.threads *= times;
    whole.result.connected *= times;
    whole.result.thread_shares.assign(parts, runs.front().result.thread_shares.front());
    for (const MachineRun& run : runs) {
      whole.result.client_cpu += run.result.client_cpu;
    }
    RunRecord sum = merged(runs);
    EXPECT_EQ(sum.parts.size(), parts);
    sum.parts.clear();  // The lists of parts differ.
    EXPECT_TRUE(run_json(sum.options, sum.result, whole.environment,
                         verdict_on(sum.options, sum.result)) == whole.json());
    EXPECT_EQ(
        summary(sum.options, sum.result, whole.environment, verdict_on(sum.options, sum.result)),
        summary(whole.options, whole.result, whole.environment,
                verdict_on(whole.options, whole.result)));
  }
}

TEST(RunMergeTest, MergedResultsCanBeMergedAgain) {
  std::vector<MachineRun> runs(3);
  runs[1].result.tally.latency.record(milliseconds(77));
  runs[2].result.measured_from = kBegan + milliseconds(20);
  const RunRecord two = read_run("two.json", json_of(merged({runs[0], runs[1]})));
  RunRecord all = merge({two, read_run("2.json", runs[2].json())});
  EXPECT_TRUE(json_of(all) == json_of(merged(runs)));
}

TEST(RunMergeTest, TheReportNamesItsRunsAndWhenTheyBegan) {
  std::vector<MachineRun> runs(2);
  runs[1].environment.host = "other";
  runs[1].result.measured_from = kBegan - milliseconds(5);
  runs[1].options.plan.seed = 10;
  const RunRecord record = merged(runs);
  const Json json = Json::parse(json_of(record));
  EXPECT_EQ(json["kind"], "merged");
  EXPECT_TRUE(json["environment"].is_null());
  EXPECT_EQ(json["measured_from"], "2026-11-28T09:24:17.995000000Z");
  EXPECT_EQ(json["measured_s"], 10.005);
  EXPECT_EQ(json["begin_skew_us"], 5000.0);
  EXPECT_EQ(json["parts"].size(), 2U);
  const Json& part = json["parts"][1];
  EXPECT_EQ(part["file"], "1.json");
  EXPECT_EQ(part["environment"]["host"], "other");
  EXPECT_EQ(part["measured_from"], "2026-11-28T09:24:17.995000000Z");
  EXPECT_EQ(part["echoes"], 100'000);
  EXPECT_EQ(part["seed"], 10);
  EXPECT_EQ(part["busiest_share"], 0.4);
  const std::string text = summary(record.options, record.result, test::some_environment(),
                                   verdict_on_merged(record), record.parts);
  EXPECT_TRUE(text.starts_with(
      "echoload 1.2.3: merged from 2 runs: echo, 128 connections, 64 bytes, depth 1, closed loop, "
      "2 threads, to 192.0.2.9:2003\n"
      "\n"
      "  parts        0.json of load.example: began 5 ms after the first, 10.00 s, 100 000 echoes, "
      "the busiest thread 40 % of its time\n"
      "               1.json of other: began 0 ns after the first, 10.00 s, 100 000 echoes, "
      "the busiest thread 40 % of its time\n"
      "  measured     10.01 s\n"))
      << text;
  EXPECT_EQ(text.find("  limits  "), std::string::npos) << "each host has its own";
  EXPECT_EQ(text.find("warning: "), std::string::npos) << "they ran at the same time";
}

TEST(RunMergeTest, WarnsIfRunsWereNotAtTheSameTime) {
  std::vector<MachineRun> runs(2);
  runs[1].result.measured_from = kBegan + seconds(4);
  const RunRecord record = merged(runs);
  EXPECT_EQ(record.result.measured, seconds(14));
  EXPECT_EQ(verdict_on_merged(record).warnings,
            std::vector<std::string>{"all parts measured at the same time for only 6 s of 14 s; "
                                     "rates are over 14 s; --start-at lets them begin together"});
  runs[1].result.measured_from = kBegan + std::chrono::hours(1);
  EXPECT_NE(verdict_on_merged(merged(runs)).warnings.front().find("for only 0 ns of "),
            std::string::npos);
}

TEST(RunMergeTest, AMergedResultHasNoSeriesAndTheServerUsageOfTheFirstPartThatHasOne) {
  std::vector<MachineRun> runs(3);
  for (MachineRun& run : runs) {
    run.result.series.resize(1);
  }
  runs[1].result.server = test::server_usage();
  runs[2].result.server = test::server_usage();
  runs[2].result.server->user = seconds(9);
  const LoadResult result = merged(runs).result;
  EXPECT_TRUE(result.series.empty());
  ASSERT_TRUE(result.server);
  EXPECT_EQ(result.server->user, test::server_usage().user);
}

TEST(RunMergeTest, StartAtIsKeptIfAllPartsAgree) {
  std::vector<MachineRun> runs(3);
  for (MachineRun& run : runs) {
    run.options.plan.start_at = kBegan;
  }
  EXPECT_EQ(merged(runs).options.plan.start_at, kBegan);
  runs[1].options.plan.start_at = kBegan + seconds(1);
  EXPECT_EQ(merged(runs).options.plan.start_at, std::nullopt);
}

TEST(RunMergeTest, StepsAddUpOneByOne) {
  std::vector<MachineRun> runs(2);
  for (MachineRun& run : runs) {
    test::add_steps(run.options, run.result);
  }
  const RunRecord record = merged(runs);
  EXPECT_EQ(record.options.plan.steps.rates_per_s, (std::vector<double>{10'000, 20'000}));
  EXPECT_EQ(record.options.plan.rate_per_s, 10'000);
  ASSERT_EQ(record.result.steps.size(), 2U);
  EXPECT_EQ(record.result.steps[1].echoes, 80'000U);
  EXPECT_EQ(record.result.steps[1].latency.count(), 100'000U);
  EXPECT_EQ(record.result.steps[1].service.messages, 80'000U);
}

TEST(RunMergeTest, APartThatNeverBeganCountsWithItsErrorsOnly) {
  std::vector<MachineRun> runs(2);
  runs[0].result = LoadResult();
  runs[0].result.tally.count(LoadError::refused, "connection 0: refused: no server listens");
  const RunRecord record = merged(runs);
  EXPECT_EQ(record.result.measured_from, kBegan);
  EXPECT_EQ(record.result.measured, seconds(10));
  EXPECT_EQ(record.result.tally.errors_in_all(), 1U);
  EXPECT_EQ(begin_skew(record.parts), nanoseconds(0));
  EXPECT_NE(summary(record.options, record.result, test::some_environment(),
                    verdict_on_merged(record), record.parts)
                .find("0.json of load.example: never began, 0.00 s"),
            std::string::npos);
}

TEST(RunMergeTest, TheServerIsKnownIfTheFirstPartNeverBegan) {
  std::vector<MachineRun> runs(2);
  runs[0].result = LoadResult();
  runs[0].options.plan.server = Endpoint();
  runs[1].options.plan.server = Endpoint::udp(runs[1].options.plan.server.address());
  runs[1].result.tally.datagrams.sent = 7;
  const RunRecord record = merged(runs);
  EXPECT_EQ(record.options.plan.server.text(), "udp://192.0.2.9:2003");
  EXPECT_EQ(Json::parse(json_of(record))["datagrams"]["sent"], 7);
}

TEST(RunMergeTest, APartThatFailedFailsTheWhole) {
  std::vector<MachineRun> runs(2);
  runs[1].options.limits = {
      {.text = "max=1us", .percent = 100, .most = std::chrono::microseconds(1)}};
  const RunRecord record = merged(runs);
  EXPECT_EQ(verdict_on_merged(record).failures,
            std::vector<std::string>{"1.json: max=1us was missed: 8 ms"});
}

TEST(RunMergeTest, LimitsApplyToTheSum) {
  RunRecord record = merged(std::vector<MachineRun>(2));
  record.options.limits = {{.text = "rate>=20k", .kind = Limit::Kind::rate, .number = 20'000},
                           {.text = "rate>=20.1k", .kind = Limit::Kind::rate, .number = 20'100}};
  EXPECT_EQ(verdict_on_merged(record).failures,
            std::vector<std::string>{"rate>=20.1k was missed: 20 000"});
}

TEST(RunMergeTest, TheFirstErrorsOfEachPartAreKept) {
  std::vector<MachineRun> runs(2);
  for (std::size_t i = 0; i < Tally::kMostDetails; ++i) {
    runs[0].result.tally.count(LoadError::reset, "one");
    runs[1].result.tally.count(LoadError::reset, "other");
  }
  const std::vector<std::string> lines = merged(runs).result.tally.detail_lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "one"), Tally::kMostDetails / 2);
}

TEST(RunMergeTest, RunsOfDifferentKindsAreNotMerged) {
  const std::vector<std::pair<std::string, std::function<void(LoadPlan&)>>> differences{
      {"--mode", [](LoadPlan& plan) { plan.mode = LoadMode::connect; }},
      {"--size", [](LoadPlan& plan) { plan.sizes.largest = 65; }},
      {"--size", [](LoadPlan& plan) { plan.sizes.smallest = 63; }},
      {"--depth", [](LoadPlan& plan) { plan.depth = 2; }},
      {"--burst", [](LoadPlan& plan) { plan.burst = 2; }},
      {"the kind of the server",
       [](LoadPlan& plan) { plan.server = Endpoint::udp(plan.server.address()); }},
      {"--rate", [](LoadPlan& plan) { plan.rate_per_s.reset(); }},
      {"--arrivals", [](LoadPlan& plan) { plan.arrivals = Arrivals::poisson; }},
      {"--messages", [](LoadPlan& plan) { plan.messages = 1000; }},
      {"--duration", [](LoadPlan& plan) { plan.duration = seconds(9); }},
      {"--warmup", [](LoadPlan& plan) { plan.warmup = seconds(9); }},
      {"--timeout", [](LoadPlan& plan) { plan.timeout = seconds(9); }}};
  for (const auto& [option, change] : differences) {
    std::vector<MachineRun> runs(2);
    runs[0].options.plan.rate_per_s = runs[1].options.plan.rate_per_s = 1000;
    change(runs[1].options.plan);
    EXPECT_EQ(error_of([&runs] { (void)merged(runs); }),
              "0.json and 1.json are not parts of one run: they differ in " + option);
  }
}

TEST(RunMergeTest, ARunIsNotMergedTwice) {
  const MachineRun run;
  const RunRecord one = read_run("a.json", run.json());
  const RunRecord two = read_run("b.json", run.json());
  EXPECT_EQ(error_of([&] { (void)merge({one, two}); }), "a.json and b.json hold the same run");
}

TEST(RunMergeTest, RunsOfDifferentStepsAreNotMerged) {
  for (const bool has_time : {false, true}) {
    std::vector<MachineRun> runs(2);
    for (MachineRun& run : runs) {
      test::add_steps(run.options, run.result);
    }
    if (has_time) {
      runs[1].options.plan.steps.time = seconds(6);
    } else {
      runs[1].options.plan.steps.rates_per_s.pop_back();
      runs[1].result.steps.pop_back();
    }
    EXPECT_EQ(error_of([&runs] { (void)merged(runs); }),
              "0.json and 1.json are not parts of one run: they differ in --rate");
  }
}

TEST(RunMergeTest, DatagramsAddUp) {
  std::vector<MachineRun> runs(2);
  std::uint64_t count = 0;
  for (MachineRun& run : runs) {
    run.options.plan.server = Endpoint::udp(*SocketAddress::parse("::1", 2003));
    for (const auto& [name, member] : kDatagramCountNames) {
      run.result.tally.datagrams.*member = ++count;
    }
  }
  const RunRecord sum = merged(runs);
  for (const auto& [name, member] : kDatagramCountNames) {
    EXPECT_EQ(sum.result.tally.datagrams.*member,
              runs[0].result.tally.datagrams.*member + runs[1].result.tally.datagrams.*member)
        << name;
  }
}

}  // namespace
}  // namespace echod::client
