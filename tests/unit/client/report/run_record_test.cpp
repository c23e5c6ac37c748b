#include "client/report/run_record.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "client/report/json_names.hpp"
#include "client/report/json_report.hpp"
#include "load_results.hpp"

namespace echod::client {
namespace {

using Json = nlohmann::json;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(RunRecordTest, AResultIsReadBackUnchanged) {
  test::MachineRun run;
  run.options.max_errors = 50;
  run.options.plan.mode = LoadMode::connect;
  run.options.plan.sizes = {.smallest = 1, .largest = 70'000};
  run.options.plan.messages = 12;
  run.options.plan.connect_rate_per_s = 0.1;
  run.options.plan.start_at = test::kBegan - seconds(1);
  run.options.plan.arrivals = Arrivals::poisson;
  run.options.plan.server_pid = 17;
  run.options.plan.server = *SocketAddress::parse("::1", 2003);
  run.options.plan.sources = {*SocketAddress::parse("::1", 0)};
  run.result.is_interrupted = true;
  run.result.measured = nanoseconds(123'456'789'012'345);
  run.result.server = test::server_usage();
  run.result.connecting = nanoseconds(987'654'321);
  run.result.thread_shares = {1.0 / 3, 0.1};
  std::uint64_t count = 1;
  for (const auto& [name, member] : kHistogramNames) {
    (run.result.tally.*member).record(nanoseconds(1234 * count), count);
    ++count;
  }
  for (const auto& [pointer, member] : kCountNames) {
    run.result.tally.*member = ++count;
  }
  run.result.tally.service.total = nanoseconds(INT64_MAX);
  for (std::uint64_t& errors : run.result.tally.errors) {
    errors = ++count;
  }
  test::add_steps(run.options, run.result);
  run.result.tally.details = {{.time = {}, .text = "first"}, {.time = {}, .text = "second"}};
  const RunRecord record = read_run("a.json", run.json());
  EXPECT_EQ(run_json(record.options, record.result, run.environment,
                     verdict_on(record.options, record.result)),
            run.json());
  EXPECT_EQ(record.parts.front().environment.host, run.environment.host);
}

TEST(RunRecordTest, TheDatagramsOfAResultAreReadBack) {
  test::MachineRun run;
  run.options.plan.server = Endpoint::udp(*SocketAddress::parse("::1", 2003));
  run.options.plan.burst = run.options.plan.depth = 32;
  std::uint64_t count = 0;
  for (const auto& [name, member] : kDatagramCountNames) {
    run.result.tally.datagrams.*member = ++count;
  }
  const RunRecord record = read_run("a.json", run.json());
  EXPECT_EQ(run_json(record.options, record.result, run.environment,
                     verdict_on(record.options, record.result)),
            run.json());
}

TEST(RunRecordTest, RefusesOtherFiles) {
  const auto error = [](const std::string& json) {
    try {
      (void)read_run("a.json", json);
    } catch (const std::runtime_error& refusal) {
      return std::string(refusal.what());
    }
    return std::string("none");
  };
  const std::string begin = "a.json is not a result of echoload run: ";
  for (const char* const text : {"", "{", "[]", "7", "{}", R"({"kind": "run"})"}) {
    EXPECT_TRUE(error(text).starts_with(begin)) << text << error(text);
  }
  EXPECT_EQ(error(R"({"kind": "check"})"), begin + "\"check\" is not a valid kind");
  Json json = Json::parse(test::MachineRun().json());
  json["histograms"]["latency_ns"]["count"] = 7;
  EXPECT_EQ(error(json.dump()), begin + "a histogram in it does not add up");
  json = Json::parse(test::MachineRun().json());
  json["measured_from"] = "noon";
  EXPECT_EQ(error(json.dump()), begin + "\"noon\" is not a valid time");
  json = Json::parse(test::MachineRun().json());
  json["target"]["address"] = "here:7";
  EXPECT_EQ(error(json.dump()), begin + "\"here:7\" is not a valid address");
  json = Json::parse(test::MachineRun().json());
  json["parameters"]["mode"] = "fast";
  EXPECT_EQ(error(json.dump()), begin + "\"fast\" is not a valid mode");
  test::MachineRun stepped;
  test::add_steps(stepped.options, stepped.result);
  json = Json::parse(stepped.json());
  json["parameters"]["rate_steps"] = nullptr;
  EXPECT_EQ(error(json.dump()), begin + "its steps are not those of its rate");
}

}  // namespace
}  // namespace echod::client
