#include "client/report/json_report.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "load_results.hpp"

namespace echod::client {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

class JsonReportTest : public testing::Test {
 protected:
  [[nodiscard]] std::string text() const {
    return run_json(options_, result_, environment_, verdict_on(options_, result_));
  }
  [[nodiscard]] Json report() const { return Json::parse(text()); }

  Options options_ = test::good_options();
  LoadResult result_ = test::good_result();
  Environment environment_ = test::some_environment();
};

std::set<std::string> keys(const Json& object) {
  std::set<std::string> names;
  for (const auto& [name, value] : object.items()) {
    names.insert(name);
  }
  return names;
}

TEST_F(JsonReportTest, HasEachFieldOfTheSchemaAndEndsItsLine) {
  EXPECT_TRUE(text().ends_with("}\n"));
  std::ifstream file(ECHOD_SOURCE_DIR "/client/report/echoload-run.schema.json");
  const Json schema = Json::parse(file);
  EXPECT_EQ(keys(report()), keys(schema["properties"]));
  EXPECT_EQ(keys(report()), schema["required"].get<std::set<std::string>>());
  EXPECT_EQ(keys(report()["parameters"]), keys(schema["properties"]["parameters"]["properties"]));
}

TEST_F(JsonReportTest, SaysWhatWasRunWhereAndWhen) {
  const Json json = report();
  EXPECT_EQ(json["kind"], "run");
  EXPECT_EQ(json["echoload"], "1.2.3");
  EXPECT_EQ(json["time"], "2026-11-21T09:24:18Z");
  EXPECT_EQ(json["target"], (Json{{"given", "echo.example:2003"}, {"address", "192.0.2.9:2003"}}));
  EXPECT_EQ(json["environment"], (Json{{"host", "load.example"},
                                       {"kernel", "Linux 6.1.0"},
                                       {"cpus", 2},
                                       {"open_files", 20'000},
                                       {"local_ports", {32768, 60999}}}));
  environment_.local_ports.reset();
  EXPECT_TRUE(report()["environment"]["local_ports"].is_null());
}

TEST_F(JsonReportTest, HasEveryParameter) {
  EXPECT_EQ(report()["parameters"], (Json{{"mode", "echo"},
                                          {"connections", 64},
                                          {"active", 64},
                                          {"size_min_bytes", 64},
                                          {"size_max_bytes", 64},
                                          {"depth", 1},
                                          {"burst", 1},
                                          {"threads", 1},
                                          {"rate_per_s", nullptr},
                                          {"rate_steps", nullptr},
                                          {"arrivals", nullptr},
                                          {"messages", nullptr},
                                          {"connect_rate_per_s", nullptr},
                                          {"start_at", nullptr},
                                          {"warmup_s", 1.0},
                                          {"duration_s", 10.0},
                                          {"timeout_s", 5.0},
                                          {"interval_s", 1.0},
                                          {"max_errors", 0},
                                          {"seed", 9},
                                          {"sources", Json::array()}}));
  options_.plan.mode = LoadMode::connect;
  options_.plan.rate_per_s = 0.5;
  options_.plan.messages = 7;
  options_.plan.connect_rate_per_s = 1000;
  options_.plan.sources = {*SocketAddress::parse("127.0.0.2", 0), *SocketAddress::parse("::1", 0)};
  options_.plan.start_at = Moment(seconds(1'795'857'858));
  const Json parameters = report()["parameters"];
  EXPECT_EQ(parameters["mode"], "connect");
  EXPECT_EQ(parameters["rate_per_s"], 0.5);
  EXPECT_EQ(parameters["arrivals"], "constant");
  EXPECT_EQ(parameters["messages"], 7);
  EXPECT_EQ(parameters["connect_rate_per_s"], 1000);
  EXPECT_EQ(parameters["start_at"], "2026-11-28T09:24:18.000000000Z");
  EXPECT_EQ(parameters["sources"], (Json{"127.0.0.2", "::1"}));
  options_.plan.mode = LoadMode::stream;
  EXPECT_EQ(report()["parameters"]["mode"], "stream");
}

TEST_F(JsonReportTest, HasTheFiguresOfTheWindow) {
  result_.tally.not_sent = 3;
  result_.tally.bytes_received = 6'300'000;
  result_.connecting = std::chrono::milliseconds(1500);
  const Json json = report();
  EXPECT_EQ(json["interrupted"], false);
  EXPECT_EQ(json["measured_s"], 10.0);
  EXPECT_EQ(json["connected"], 64);
  EXPECT_EQ(json["connecting_s"], 1.5);
  EXPECT_EQ(json["echoes"], 100'000);
  EXPECT_EQ(json["echoes_per_s"], 10'000);
  EXPECT_EQ(json["bytes_sent"], 6'400'000);
  EXPECT_EQ(json["bytes_received"], 6'300'000);
  EXPECT_EQ(json["sent_mb_per_s"], 0.64);
  EXPECT_EQ(json["received_mb_per_s"], 0.63);
  EXPECT_EQ(json["not_sent"], 3);
}

TEST_F(JsonReportTest, HasLatenciesInMicroseconds) {
  result_.tally.send_lag.record(milliseconds(2), 4);
  const Json latency = report()["latency_us"];
  EXPECT_EQ(keys(latency), (std::set<std::string>{"count", "min", "mean", "p50", "p90", "p99",
                                                  "p99.9", "p99.99", "max"}));
  EXPECT_EQ(latency["count"], 100'000);
  EXPECT_EQ(latency["min"], 1000.0);
  EXPECT_NEAR(latency["mean"], 1003.5, 1003.5 / 1024);
  EXPECT_NEAR(latency["p50"], 1000, 1);
  EXPECT_NEAR(latency["p99.9"], 1000, 1);
  EXPECT_EQ(latency["p99.99"], 8000.0);
  EXPECT_EQ(latency["max"], 8000.0);
  EXPECT_EQ(report()["send_lag_us"]["max"], 2000.0);
}

TEST_F(JsonReportTest, HasEachHistogramOnOneLineSparseAndExact) {
  result_.tally.latency = Histogram();
  result_.tally.latency.record(std::chrono::nanoseconds(1000), 3);
  result_.tally.latency.record(milliseconds(8));
  EXPECT_NE(text().find("    \"latency_ns\": {\"count\":4,\"min\":1000,\"max\":8000000,"
                        "\"buckets\":[[1000,3],[8003583,1]]},\n"
                        "    \"connect_ns\": {\"count\":0,\"min\":0,\"max\":0,\"buckets\":[]},\n"),
            std::string::npos)
      << text();
}

TEST_F(JsonReportTest, SaysWhenTheWindowBegan) {
  EXPECT_TRUE(report()["measured_from"].is_null());
  result_.measured_from = Moment(seconds(1'795'857'858));
  EXPECT_EQ(report()["measured_from"], "2026-11-28T09:24:18.000000000Z");
}

TEST_F(JsonReportTest, HasTheSumOfTheTimesOfTheServer) {
  result_.tally.service.messages = 3;
  result_.tally.service.total = milliseconds(6);
  EXPECT_EQ(report()["service"], (Json{{"messages", 3}, {"total_ns", 6'000'000}}));
}

TEST_F(JsonReportTest, HasTheSteps) {
  EXPECT_EQ(report()["steps"], Json::array());
  EXPECT_TRUE(report()["knee_per_s"].is_null());
  test::add_steps(options_, result_);
  result_.measured = seconds(9);  // Interrupted in the second one.
  const Json json = report();
  EXPECT_EQ(json["parameters"]["rate_steps"],
            (Json{{"rates_per_s", {5000.0, 10'000.0}}, {"time_s", 5.0}}));
  EXPECT_EQ(json["knee_per_s"], 5000.0);
  ASSERT_EQ(json["steps"].size(), 2U);
  const Json& step = json["steps"][1];
  EXPECT_EQ(step["rate_per_s"], 10'000.0);
  EXPECT_EQ(step["measured_s"], 4.0);
  EXPECT_EQ(step["echoes"], 40'000);
  EXPECT_EQ(step["echoes_per_s"], 10'000.0);
  EXPECT_EQ(step["latency_us"]["max"], 8000.0);
  EXPECT_EQ(step["service"], (Json{{"messages", 40'000}, {"total_ns", 50'000'000'000}}));
  EXPECT_EQ(json["histograms"]["steps_latency_ns"][1]["count"], 50'000);
}

TEST_F(JsonReportTest, HasConnectTimesAndTcpStatistics) {
  result_.tally.connect.record(milliseconds(2), 3);
  result_.tally.first_byte.record(milliseconds(3));
  result_.tally.round_trip.record(milliseconds(1), 2);
  result_.tally.retransmissions = 7;
  const Json json = report();
  EXPECT_EQ(json["connect_us"]["count"], 3);
  EXPECT_EQ(json["connect_us"]["max"], 2000.0);
  EXPECT_EQ(json["first_byte_us"]["max"], 3000.0);
  EXPECT_EQ(json["tcp"]["retransmissions"], 7);
  EXPECT_EQ(json["tcp"]["round_trip_us"]["count"], 2);
}

TEST_F(JsonReportTest, APercentileWithoutEnoughSamplesIsNull) {
  result_.tally.receive_lag.record(milliseconds(2), 99);
  const Json lag = report()["receive_lag_us"];
  EXPECT_NEAR(lag["p90"], 2000, 2);
  EXPECT_TRUE(lag["p99"].is_null());
  EXPECT_EQ(lag["max"], 2000.0);
}

TEST_F(JsonReportTest, HasTheCountsOfEachInterval) {
  EXPECT_EQ(report()["series"], Json::array());
  result_.series = {{.begin = seconds(0),
                     .length = seconds(1),
                     .counts = {.echoes = 5, .bytes_sent = 6, .bytes_received = 7},
                     .latencies = 50,
                     .p50 = milliseconds(2),
                     .p99 = {},
                     .max = milliseconds(3)},
                    {.begin = seconds(1),
                     .length = milliseconds(500),
                     .counts = {.errors = 8, .lost = 9, .lost_datagrams = 4},
                     .p50 = {},
                     .p99 = {}}};
  EXPECT_EQ(
      report()["series"],
      (Json{{{"start_s", 0.0},
             {"length_s", 1.0},
             {"echoes", 5},
             {"bytes_sent", 6},
             {"bytes_received", 7},
             {"errors", 0},
             {"lost_connections", 0},
             {"lost_datagrams", 0},
             {"latency_us", {{"count", 50}, {"p50", 2000.0}, {"p99", nullptr}, {"max", 3000.0}}}},
            {{"start_s", 1.0},
             {"length_s", 0.5},
             {"echoes", 0},
             {"bytes_sent", 0},
             {"bytes_received", 0},
             {"errors", 8},
             {"lost_connections", 9},
             {"lost_datagrams", 4},
             {"latency_us", nullptr}}}));
}

TEST_F(JsonReportTest, SaysThatARunCouldNotBegin) {
  EXPECT_EQ(report()["began"], true);
  options_.plan.server = {};
  const Json json =
      Json::parse(run_json(options_, {}, environment_, could_not_begin("no connection")));
  EXPECT_EQ(json["began"], false);
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["failures"], Json{"the run could not begin: no connection"});
  EXPECT_TRUE(json["target"]["address"].is_null());
  EXPECT_EQ(keys(json), keys(report()));
}

TEST_F(JsonReportTest, HasTheLostConnections) {
  result_.tally.lost = 3;
  result_.tally.outage.record(milliseconds(20));
  result_.tally.due_while_lost = 7;
  const Json lost = report()["lost_connections"];
  EXPECT_EQ(lost["lost"], 3);
  EXPECT_EQ(lost["back"], 1);
  EXPECT_EQ(lost["outage_us"]["max"], 20'000.0);
  EXPECT_EQ(lost["messages_unconnected"], 7);
}

TEST_F(JsonReportTest, HasLimitsOnRateAndErrors) {
  options_.limits = {{.text = "rate>=1k", .kind = Limit::Kind::rate, .number = 1000}};
  EXPECT_EQ(report()["slo"],
            (Json{{{"limit", "rate>=1k"}, {"measured", 10'000.0}, {"met", true}}}));
}

TEST_F(JsonReportTest, WithoutSamplesThereAreNoLatencies) {
  result_.tally.latency = Histogram();
  EXPECT_TRUE(report()["latency_us"].is_null());
  EXPECT_TRUE(report()["send_lag_us"].is_null());
}

TEST_F(JsonReportTest, HasEveryKindOfError) {
  result_.tally.count(LoadError::lost, "first");
  result_.tally.count(LoadError::reset, "second");
  const Json errors = report()["errors"];
  EXPECT_EQ(errors["total"], 2);
  EXPECT_EQ(errors["mismatches"], 1);
  EXPECT_EQ(errors["by_kind"].size(), kLoadErrors);
  EXPECT_EQ(errors["by_kind"]["lost"], 1);
  EXPECT_EQ(errors["by_kind"]["reset"], 1);
  EXPECT_EQ(errors["by_kind"]["stalled"], 0);
  EXPECT_EQ(errors["details"], (Json{"first", "second"}));
}

TEST_F(JsonReportTest, HasTheCostOfTheClientAndOfTheServer) {
  result_.thread_shares = {0.25, 0.5};
  EXPECT_EQ(report()["client"], (Json{{"cpu_s", 3.0}, {"thread_shares", {0.25, 0.5}}}));
  EXPECT_TRUE(report()["server"].is_null());
  options_.plan.server_pid = 17;
  result_.server = test::server_usage();
  EXPECT_EQ(report()["server"], (Json{{"pid", 17},
                                      {"user_s", 0.5},
                                      {"system_s", 1.5},
                                      {"cpu_us_per_echo", 20.0},
                                      {"resident_bytes", 5 << 20},
                                      {"voluntary_switches", 1234},
                                      {"involuntary_switches", 56}}));
  result_.tally.echoes = 0;
  EXPECT_TRUE(report()["server"]["cpu_us_per_echo"].is_null());
}

TEST_F(JsonReportTest, HasTheVerdict) {
  EXPECT_EQ(report()["passed"], true);
  EXPECT_EQ(report()["slo"], Json::array());
  EXPECT_EQ(report()["warnings"], Json::array());
  EXPECT_EQ(report()["failures"], Json::array());
  options_.limits = {{.text = "max=7ms", .percent = 100, .most = milliseconds(7)},
                     {.text = "max=9ms", .percent = 100, .most = milliseconds(9)}};
  result_.thread_shares = {1};
  const Json json = report();
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["slo"], (Json{{{"limit", "max=7ms"}, {"measured_us", 8000.0}, {"met", false}},
                               {{"limit", "max=9ms"}, {"measured_us", 8000.0}, {"met", true}}}));
  EXPECT_EQ(json["failures"], Json{"max=7ms was missed: 8 ms"});
  EXPECT_EQ(json["warnings"].size(), 1U);
}

TEST_F(JsonReportTest, AnInterruptedRunWithoutAWindowIsValid) {
  result_ = LoadResult();
  result_.is_interrupted = true;
  const Json json = report();
  EXPECT_EQ(json["interrupted"], true);
  EXPECT_EQ(json["measured_s"], 0.0);
  EXPECT_EQ(json["echoes_per_s"], 0.0);
}

TEST_F(JsonReportTest, InvalidUtf8IsReplaced) {
  options_.target = "caf\xe9";
  EXPECT_EQ(report()["target"]["given"], "caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace echod::client
