// Runs echoload against echod. Every mode completes without a wrong byte, and the result has the
// settings, figures and costs.
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <thread>

#include "broken_server.hpp"
#include "daemon_test.hpp"
#include "full_outputs.hpp"
#include "load_client.hpp"
#include "strace_table.hpp"

namespace echod::test {
namespace {

class EcholoadRunTest : public DaemonTest {
 protected:
  [[nodiscard]] LoadOutcome load(const std::vector<std::string>& arguments) {
    return run_load(daemon().port(), arguments);
  }

  // Runs echoload, expects success, and returns the result.
  [[nodiscard]] nlohmann::json load_well(const std::vector<std::string>& arguments) {
    const LoadOutcome outcome = load(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.err;
    if (outcome.json.is_null()) {
      throw std::runtime_error("no result: " + outcome.err);
    }
    EXPECT_EQ(outcome.json["errors"]["total"], 0) << outcome.out;
    EXPECT_GT(outcome.json["bytes_received"], 0);
    EXPECT_TRUE(outcome.json["passed"]);
    return outcome.json;
  }

  // A shell command line for a run with standard output to `file`.
  [[nodiscard]] std::vector<std::string> run_into(const std::string& file) {
    return {"sh",
            "-c",
            R"(exec "$0" --warmup 0 --duration "$1" "$2" >"$3")",
            ECHOLOAD_BINARY,
            kMoment,
            local_target(daemon().port()),
            file};
  }

  [[nodiscard]] static bool has_validator() {
    return is_installed("python3") &&
           run({.arguments = {"python3", "-c", "import jsonschema"}}).exit_code == 0;
  }
  // Validates against the schema. No-op if there is no validator.
  static void expect_valid(const std::string& result) {
    const TemporaryDirectory directory;
    write_file(directory.file("result"), result);
    const ChildResult validated =
        run({.arguments = {"python3", "-c",
                           "import json, sys, jsonschema\n"
                           "schema, result = (json.load(open(name)) for name in sys.argv[1:])\n"
                           "jsonschema.Draft7Validator(schema).validate(result)",
                           ECHOD_SOURCE_DIR "/client/report/echoload-run.schema.json",
                           directory.file("result")}});
    EXPECT_TRUE(validated.exit_code == 0 || !has_validator()) << validated.err;
  }

  // Waits so long that the next signal is not taken for the same stop as the last one, even if that
  // was handled late.
  static void wait_until_signals_are_apart() {
    const auto begin = std::chrono::steady_clock::now();
    wait_until("more than a second", [begin] {
      return std::chrono::steady_clock::now() - begin > std::chrono::seconds(3);
    });
  }

  [[nodiscard]] static bool is_ended_by_further_signals(ChildProcess& client) {
    return eventually([&client] {
      if (client.is_running()) {
        client.signal(SIGTERM);
      }
      return !client.is_running();
    });
  }
};

class EcholoadScaleTest : public EcholoadRunTest, public testing::WithParamInterface<int> {};

TEST_P(EcholoadScaleTest, CompletesWithoutAWrongByte) {
  start();
  // Long enough for several echoes per connection, even on a busy machine.
  const auto result = load_well({"--connections", std::to_string(GetParam()), "--threads", "2",
                                 "--duration", GetParam() < 1000 ? kMoment : "3s"});
  EXPECT_EQ(result["connected"], GetParam());
  EXPECT_GE(result["latency_us"]["count"], GetParam());
}
// Ten thousand connections would take minutes with sanitizers.
INSTANTIATE_TEST_SUITE_P(Connections, EcholoadScaleTest,
                         testing::Values(1, 64, 1000, kSanitized ? 2000 : 10000));

TEST_F(EcholoadRunTest, MessagesOfAllSizesComeBack) {
  start();
  const auto result = load_well({"--connections", "16", "--size", "1-200k", "--depth", "8"});
  EXPECT_GE(result["latency_us"]["count"], 16 * 8);
  EXPECT_EQ(result["parameters"]["size_min_bytes"], 1);
  EXPECT_EQ(result["parameters"]["size_max_bytes"], 200 * 1024);
}

TEST_F(EcholoadRunTest, MessagesLargerThanAnyBufferComeBack) {
  start();
  // The messages were begun in the window and came back, possibly later.
  EXPECT_GE(load_well({"--connections", "2", "--size", "16M"})["latency_us"]["count"], 2);
}

TEST_F(EcholoadRunTest, AStreamReportsBytesAndNoLatency) {
  start();
  const auto result = load_well({"--connections", "4", "--mode", "stream"});
  EXPECT_TRUE(result["latency_us"].is_null());
  EXPECT_GT(result["received_mb_per_s"], 0);
}

TEST_F(EcholoadRunTest, ConnectModeMakesAConnectionForEachMessage) {
  start();
  const auto result = load_well({"--connections", "8", "--mode", "connect"});
  EXPECT_GE(daemon().counter("accepted"), result["echoes"].get<std::uint64_t>());
  EXPECT_TRUE(result["receive_lag_us"].is_null());
  EXPECT_GT(result["latency_us"]["count"], 0);
  for (const char* const percentile : {"p50", "max"}) {
    EXPECT_GT(result["connect_us"][percentile], 0);
    EXPECT_LT(result["connect_us"][percentile], result["first_byte_us"][percentile]);
    EXPECT_LE(result["first_byte_us"][percentile], result["latency_us"][percentile]);
  }
}

TEST_F(EcholoadRunTest, EachConnectionHasAConnectTimeAndARoundTrip) {
  start();
  const auto result = load_well({"--connections", "20", "--active", "10"});
  EXPECT_EQ(result["connect_us"]["count"], 20);
  EXPECT_TRUE(result["first_byte_us"].is_null());
  EXPECT_EQ(result["tcp"]["round_trip_us"]["count"], 20);
  EXPECT_GT(result["tcp"]["round_trip_us"]["min"], 0);
}

TEST_F(EcholoadRunTest, AnOpenLoopSendsWhatIsDueAndNoMore) {
  start();
  const auto result =
      load_well({"--connections", "7", "--threads", "3", "--rate", "1000", "--duration", "500ms"});
  EXPECT_EQ(result["latency_us"]["count"].get<int>() + result["not_sent"].get<int>(), 500);
  EXPECT_EQ(result["send_lag_us"]["count"], 500);
  EXPECT_EQ(result["parameters"]["rate_per_s"], 1000);
}

TEST_F(EcholoadRunTest, TheRateGoesUpInSteps) {
  start();
  const ChildResult run_of_steps =
      run({.arguments = {ECHOLOAD_BINARY, "--rate", "200:600:200@500ms", "--threads", "2",
                         "--warmup", "0", "--json", "-", local_target(daemon().port())}});
  EXPECT_EQ(run_of_steps.exit_code, 0) << run_of_steps.out;
  const auto result = nlohmann::json::parse(run_of_steps.out);
  ASSERT_EQ(result["steps"].size(), 3U);
  for (std::size_t step = 0; step < 3; ++step) {
    EXPECT_EQ(result["steps"][step]["rate_per_s"], 200 * (step + 1));
    EXPECT_EQ(result["steps"][step]["latency_us"]["count"], 100 * (step + 1));
  }
  EXPECT_EQ(result["measured_s"], 1.5);
  EXPECT_EQ(result["latency_us"]["count"], 600);
  expect_valid(run_of_steps.out);
}

TEST_F(EcholoadRunTest, RandomArrivalsRepeatWithTheSameSeed) {
  start();
  std::vector<std::uint64_t> counts;
  for (const char* const seed : {"7", "7", "8"}) {
    const auto result = load_well({"--connections", "7", "--threads", "2", "--rate", "4000",
                                   "--arrivals", "poisson", "--seed", seed});
    counts.push_back(result["latency_us"]["count"]);
  }
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_NE(counts[0], counts[2]);
}

TEST_F(EcholoadRunTest, AnOpenLoopMeasuresEveryMessageThatAFrozenServerDelayed) {
  start();
  const TemporaryDirectory directory;
  ChildProcess client(
      {.arguments = {ECHOLOAD_BINARY, "--connections", "4", "--rate", "500", "--warmup", "0",
                     "--duration", "6s", "--timeout", "30s", "--json", directory.file("json"),
                     local_target(daemon().port())}});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 50; });
  daemon().freeze();
  std::this_thread::sleep_for(std::chrono::milliseconds(600));  // The stall itself.
  daemon().thaw();
  EXPECT_EQ(client.wait(), 0) << client.err();
  const auto result = nlohmann::json::parse(read_file(directory.file("json")));
  // 600 ms at 500 a second held up 300 of 3000 messages: 5 % of them by more than 300 ms.
  EXPECT_GE(result["latency_us"]["p99"], 300'000);
  EXPECT_GE(result["latency_us"]["max"], 590'000);
  EXPECT_EQ(result["latency_us"]["count"], 3000);
}

TEST_F(EcholoadRunTest, IdleConnectionsStayIdle) {
  start();
  const auto result = load_well({"--connections", "200", "--active", "3"});
  EXPECT_EQ(result["connected"], 200);
  EXPECT_EQ(daemon().counter("accepted"), 201U);  // One more to find the server's address.
  EXPECT_EQ(daemon().counter("empty_connections"), 198U);
}

TEST_F(EcholoadRunTest, ConnectionsAreMadeAtTheRateAskedFor) {
  start();
  const auto began = std::chrono::steady_clock::now();
  (void)load_well({"--connections", "20", "--connect-rate", "40"});
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(475));
}

TEST_F(EcholoadRunTest, SourceAddressesTakeTurns) {
  start("[log]\nfile_level = \"debug\"\n[[listen]]\naddress = \"127.0.0.1\"\nport = 0\n");
  (void)load_well({"--connections", "10", "--source", "127.0.0.2", "--source", "127.0.0.3"});
  EXPECT_GE(daemon().count_log("127.0.0.2:"), 5U);
  EXPECT_GE(daemon().count_log("127.0.0.3:"), 5U);
}

TEST_F(EcholoadRunTest, TheCostOfTheServerIsReported) {
  start();
  const auto result =
      load_well({"--server-pid", std::to_string(daemon().pid()), "--duration", "1s"});
  EXPECT_GT(result["server"]["user_s"].get<double>() + result["server"]["system_s"].get<double>(),
            0);
  EXPECT_GT(result["server"]["resident_bytes"], 0);
  EXPECT_GT(result["client"]["cpu_s"], 0);
}

TEST_F(EcholoadRunTest, AnInterruptedRunReportsItsResultsSoFar) {
  start();
  ChildProcess client({.arguments = {ECHOLOAD_BINARY, "--warmup", "0", "--duration", "1000s",
                                     local_target(daemon().port())}});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  client.signal(SIGINT);
  constexpr int kInterrupted = 3;
  EXPECT_EQ(client.wait(), kInterrupted) << client.err();
  EXPECT_NE(client.out().find("of 1000.00 s: interrupted"), std::string::npos) << client.out();
  EXPECT_NE(client.out().find("latency      p50 "), std::string::npos) << client.out();
  EXPECT_EQ(client.out().find("passed:"), std::string::npos) << client.out();
  EXPECT_NE(client.out().find("\ninterrupted: "), std::string::npos) << client.out();
}

TEST_F(EcholoadRunTest, ARunInterruptedInTheWarmUpIsNotAFailure) {
  start();
  ChildProcess client(
      {.arguments = {ECHOLOAD_BINARY, "--warmup", "1000s", "--server-pid",
                     std::to_string(daemon().pid()), local_target(daemon().port())}});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  client.signal(SIGINT);
  constexpr int kInterrupted = 3;
  EXPECT_EQ(client.wait(), kInterrupted) << client.err();
  EXPECT_NE(client.out().find("\nwarning: interrupted before anything was measured\n"),
            std::string::npos)
      << client.out();
  EXPECT_EQ(client.out().find("did not exist"), std::string::npos) << client.out();
}

TEST_F(EcholoadRunTest, TwoSignalsAtOnceAreOneStopAndAThirdASecondLaterEndsTheWait) {
  start();
  ChildProcess client({.arguments = {ECHOLOAD_BINARY, "--warmup", "0", "--duration", "1000s",
                                     "--timeout", "1000s", local_target(daemon().port())}});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  daemon().freeze();
  client.signal(SIGINT);
  client.signal(SIGTERM);
  wait_until_signals_are_apart();
  EXPECT_TRUE(client.is_running()) << "the second signal was taken for another stop";
  client.signal(SIGTERM);
  EXPECT_EQ(client.wait(), 1);
  EXPECT_NE(client.out().find("the run was over before"), std::string::npos) << client.out();
  daemon().thaw();
}

TEST_F(EcholoadRunTest, ASecondSignalEndsTheWaitForTheServersFinsAndIsNotAFailure) {
  constexpr std::size_t kConnections = 4;
  constexpr std::size_t kProbes = 1;  // To find the server's address.
  const BrokenServer server(Fault::never_closes);
  ChildProcess client(
      {.arguments = {ECHOLOAD_BINARY, "--warmup", "0", "--duration", kMoment, "--timeout", "1000s",
                     "--connections", std::to_string(kConnections), local_target(server.port())}});
  wait_until("the FINs", [&] { return server.fins() == kConnections + kProbes; });
  client.signal(SIGINT);
  wait_until_signals_are_apart();
  EXPECT_TRUE(client.is_running()) << "the first signal ended the wait";
  client.signal(SIGINT);
  constexpr int kInterrupted = 3;
  EXPECT_EQ(client.wait(), kInterrupted) << client.out() << client.err();
  EXPECT_NE(client.out().find("\ninterrupted: "), std::string::npos) << client.out();
}

TEST_F(EcholoadRunTest, ARunAtARateThatCannotBeReachedEndsWithinTheTimeoutAfterASignal) {
  start();
  ChildProcess client(
      {.arguments = {ECHOLOAD_BINARY, "--warmup", "0", "--duration", "1000s", "--rate", "100M",
                     "--timeout", kSanitized ? "10s" : "2s", local_target(daemon().port())}});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  const auto signalled = std::chrono::steady_clock::now();
  client.signal(SIGINT);
  constexpr int kInterrupted = 3;
  EXPECT_EQ(client.wait(), kInterrupted) << client.out() << client.err();
  EXPECT_LT(std::chrono::steady_clock::now() - signalled,
            std::chrono::seconds(kSanitized ? 60 : 20));
}

TEST_F(EcholoadRunTest, SignalsEndItWhileItsOutputBlocks) {
  if (kSanitized) {
    GTEST_SKIP() << "ThreadSanitizer runs a handler only when the write(2) it interrupts has ended";
  }
  start();
  const FullFifo output;
  ChildProcess client({.arguments = run_into(output.path())});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  EXPECT_TRUE(is_ended_by_further_signals(client));
  constexpr int kKilled = 128;
  EXPECT_EQ(client.wait(), kKilled + SIGTERM) << client.err();
}

TEST_F(EcholoadRunTest, ABlockedTerminalDoesNotDelayTheRun) {
  start();
  const FullTerminal terminal;
  ChildProcess client(
      {.arguments = {"sh", "-c", R"(exec "$0" --duration 1s "$1" 2>"$2")", ECHOLOAD_BINARY,
                     local_target(daemon().port()), terminal.path()}});
  EXPECT_EQ(client.wait(), 0);
  EXPECT_NE(client.out().find("passed:"), std::string::npos) << client.out();
}

TEST_F(EcholoadRunTest, AMissedLatencyLimitFails) {
  start();
  const LoadOutcome outcome = load({"--slo", "p99=1us", "--slo", "max=1000s"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.out.find("failed: p99=1us was missed: "), std::string::npos) << outcome.out;
  EXPECT_FALSE(outcome.json["slo"][0]["met"]);
  EXPECT_TRUE(outcome.json["slo"][1]["met"]);
}

TEST_F(EcholoadRunTest, TheHistogramIsAPercentileTable) {
  start();
  const TemporaryDirectory directory;
  const auto result = load_well({"--histogram", directory.file("hgrm")});
  const std::vector<std::string> lines = lines_of(read_file(directory.file("hgrm")));
  ASSERT_GT(lines.size(), 6U);
  EXPECT_EQ(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
  const std::string count = result["latency_us"]["count"].dump();
  EXPECT_NE(lines[lines.size() - 2].find(count + "]"), std::string::npos)
      << lines[lines.size() - 2];
}

TEST_F(EcholoadRunTest, JsonOnStandardOutputIsTheOnlyOutput) {
  start();
  const ChildResult result =
      run({.arguments = {ECHOLOAD_BINARY, "--duration", "500ms", "--warmup", "0", "--json", "-",
                         local_target(daemon().port())}});
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_EQ(nlohmann::json::parse(result.out)["kind"], "run");
}

TEST_F(EcholoadRunTest, TheHistogramOnStandardOutputIsTheOnlyOutput) {
  start();
  const ChildResult result =
      run({.arguments = {ECHOLOAD_BINARY, "--duration", kMoment, "--warmup", "0", "--histogram",
                         "-", local_target(daemon().port())}});
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  EXPECT_TRUE(result.out.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n"))
      << result.out;
  EXPECT_EQ(lines_of(result.out).back(),
            "#[Buckets =           32, SubBuckets     =         2048]");
}

TEST_F(EcholoadRunTest, TheResultMatchesTheSchema) {
  if (!has_validator()) {
    GTEST_SKIP() << "python3-jsonschema is not installed (scripts/test --all installs it)";
  }
  start();
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--slo", "p50=1s"},
           {"--rate", "100", "--arrivals", "poisson"},
           {"--mode", "stream", "--connections", "2", "--source", "127.0.0.9"},
           {"--mode", "connect", "--server-pid", std::to_string(daemon().pid())}}) {
    expect_valid(load_well(arguments).dump());
  }
  expect_valid(run_load(1, {}).json.dump());  // Nobody listens: it could not begin.
}

TEST_F(EcholoadRunTest, MergedResultsOfTwoRunsAreTheirSum) {
  start();
  const TemporaryDirectory directory;
  std::map<std::int64_t, std::uint64_t> sum;
  std::vector<std::string> words{ECHOLOAD_BINARY, "merge", "--json", directory.file("merged")};
  for (const char* const name : {"a", "b"}) {
    const auto part = load_well({"--rate", "1000", "--slo", "p50=1000s"});
    for (const auto& bucket : part["histograms"]["latency_ns"]["buckets"]) {
      sum[bucket[0]] += bucket[1].get<std::uint64_t>();
    }
    write_file(directory.file(name), part.dump());
    words.push_back(directory.file(name));
  }
  const ChildResult result = run({.arguments = words});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("merged from 2 runs: "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("warning: all parts measured at the same time for only "),
            std::string::npos)
      << result.out;
  const std::string merged = read_file(directory.file("merged"));
  const auto json = nlohmann::json::parse(merged);
  std::map<std::int64_t, std::uint64_t> found;
  for (const auto& bucket : json["histograms"]["latency_ns"]["buckets"]) {
    found[bucket[0]] = bucket[1];
  }
  EXPECT_EQ(found, sum);
  EXPECT_EQ(json["latency_us"]["count"], kSanitized ? 4000 : 2000);
  EXPECT_EQ(json["parameters"]["rate_per_s"], 2000);
  // Merging one merged result does not change it.
  write_file(directory.file("once"), merged);
  const ChildResult again =
      run({.arguments = {ECHOLOAD_BINARY, "merge", "--json", "-", directory.file("once")}});
  auto once_more = nlohmann::json::parse(again.out);
  once_more["time"] = json["time"];
  EXPECT_EQ(once_more, json);
  expect_valid(merged);
}

TEST_F(EcholoadRunTest, RunsBeginTogetherAtStartAt) {
  start();
  const TemporaryDirectory directory;
  const auto moment = std::chrono::ceil<std::chrono::seconds>(
      std::chrono::system_clock::now() + std::chrono::seconds(kSanitized ? 20 : 4));
  std::vector<std::string> words{ECHOLOAD_BINARY, "merge", "--json", "-"};
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (const char* const name : {"a", "b"}) {
    words.push_back(directory.file(name));
    clients.push_back(std::make_unique<ChildProcess>(ChildOptions{
        .arguments = {ECHOLOAD_BINARY, "--warmup", "0", "--duration", kMoment, "--start-at",
                      std::to_string(moment.time_since_epoch().count()), "--json",
                      directory.file(name), local_target(daemon().port())}}));
  }
  for (const auto& client : clients) {
    EXPECT_EQ(client->wait(), 0) << client->err();
  }
  const auto json = nlohmann::json::parse(run({.arguments = words}).out);
  EXPECT_EQ(json["begin_skew_us"], 0);
  EXPECT_EQ(json["warnings"].dump().find("the same time"), std::string::npos) << json["warnings"];
  for (const auto& part : json["parts"]) {
    EXPECT_EQ(part["measured_from"], json["parameters"]["start_at"]);
  }
}

TEST_F(EcholoadRunTest, AFailedMergeSaysWhyInOneLine) {
  const TemporaryDirectory directory;
  const auto merge = [](const std::string& file) {
    return run({.arguments = {ECHOLOAD_BINARY, "merge", file}});
  };
  constexpr int kUsage = 64;
  const ChildResult missing = merge(directory.file("none"));
  EXPECT_EQ(missing.exit_code, kUsage);
  EXPECT_EQ(missing.err,
            "echoload: cannot read " + directory.file("none") + ": No such file or directory\n");
  EXPECT_EQ(merge("/").err, "echoload: cannot read /: Is a directory\n");
  write_file(directory.file("other"), "{}");
  const ChildResult other = merge(directory.file("other"));
  EXPECT_EQ(other.exit_code, kUsage);
  EXPECT_TRUE(other.err.starts_with("echoload: " + directory.file("other") +
                                    " is not a result of echoload run: "))
      << other.err;
  EXPECT_EQ(lines_of(other.err).size(), 1U);
}

TEST_F(EcholoadRunTest, AMessageTakesOneSendAndOneRecv) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  start();
  const TemporaryDirectory directory;
  const ChildResult result =
      run({.arguments = {"strace", "-f", "-c", "-o", directory.file("table"), ECHOLOAD_BINARY,
                         "--connections", "4", "--warmup", "0", "--duration", "1s",
                         local_target(daemon().port())}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto calls = parse_strace_table(read_file(directory.file("table")));
  const std::uint64_t messages = daemon().counter("bytes_received") / 64;
  constexpr std::uint64_t kConnections = 4;
  ASSERT_GT(messages, 5 * kConnections);
  EXPECT_LE(calls.at("sendto"), messages + 2);
  EXPECT_LE(calls.at("recvmsg"), messages + kConnections + 2);  // Plus the ends of file.
  EXPECT_LE(calls.at("epoll_ctl"), kConnections + 20);
}

// When the client is stopped, all connections have a message in flight, and the server answers at
// once. So more than 1 % of the messages wait, and they wait for the client.
TEST_F(EcholoadRunTest, TimeThatEchoesWaitForTheClientIsNotLatency) {
  constexpr std::chrono::milliseconds kStop{kSanitized ? 4000 : 1000};
  start();
  const TemporaryDirectory directory;
  ChildProcess client({.arguments = {ECHOLOAD_BINARY, "--connections", "1000", "--warmup", "0",
                                     "--duration", "1000s", "--timeout", "30s", "--json",
                                     directory.file("json"), local_target(daemon().port())}});
  for (int stops = 0; stops < 3; ++stops) {
    const std::uint64_t echoes = daemon().counter("echoes");
    wait_until("more echoes", [&] { return daemon().counter("echoes") > echoes; });
    client.signal(SIGSTOP);
    std::this_thread::sleep_for(kStop);  // The stop itself.
    client.signal(SIGCONT);
  }
  client.signal(SIGINT);
  (void)client.wait();
  const auto json = nlohmann::json::parse(read_file(directory.file("json")));
  const auto stop_us = std::chrono::duration<double, std::micro>(kStop).count();
  EXPECT_LT(json["latency_us"]["count"], 300'000);
  EXPECT_GE(json["receive_lag_us"]["p99"], stop_us * 0.9);
  EXPECT_LT(json["latency_us"]["p99"], stop_us / 2);
}

// Compares a thousand connections in a closed loop with a separate client that does nothing else.
TEST_F(EcholoadRunTest, TheLatencyOfManyConnectionsIsCloseToThatOfASeparateClient) {
  if (kSanitized) {
    GTEST_SKIP() << "the server is so slow that a crowd waits for each other there";
  }
  start();
  const TemporaryDirectory directory;
  ChildProcess client(
      {.arguments = {ECHOLOAD_BINARY, "--connections", "1000", "--duration", "2s", "--json",
                     directory.file("json"), local_target(daemon().port())}});
  wait_until("the crowd", [&] { return daemon().counter("echoes") > 5000; });
  TcpPeer probe = connect();
  std::vector<double> seen_us;
  // Sends at fixed times. If it sent after each echo, it would measure fast moments more often.
  for (auto due = std::chrono::steady_clock::now(); client.is_running();
       due += std::chrono::milliseconds(1)) {
    std::this_thread::sleep_until(due);
    ASSERT_TRUE(probe.echoes("probe"));
    const std::chrono::duration<double, std::micro> passed = std::chrono::steady_clock::now() - due;
    seen_us.push_back(passed.count());
  }
  ASSERT_EQ(client.wait(), 0);
  ASSERT_GT(seen_us.size(), 100U);
  const auto middle = seen_us.begin() + static_cast<std::ptrdiff_t>(seen_us.size() / 2);
  std::nth_element(seen_us.begin(), middle, seen_us.end());
  const double p50 = nlohmann::json::parse(read_file(directory.file("json")))["latency_us"]["p50"];
  std::cout << "p50 of " << seen_us.size() << " probes " << *middle << " us, reported " << p50
            << " us" << std::endl;
  // They are about equal. When the latency included the wait for the client, it was 30 times as
  // long.
  EXPECT_LT(p50, 8 * *middle);
  // The probe has its own delays, so it gives no lower bound. Two passes through the kernel take
  // several microseconds.
  EXPECT_GT(p50, 1);
}

TEST_F(EcholoadRunTest, EachIntervalIsALineOfJsonAsInTheWholeResult) {
  start();
  const TemporaryDirectory directory;
  const auto result = load_well(
      {"--connections", "4", "--interval", "50ms", "--interval-json", directory.file("lines")});
  const std::vector<std::string> lines = lines_of(read_file(directory.file("lines")));
  ASSERT_GE(lines.size(), 2U);
  auto series = nlohmann::json::array();
  for (const std::string& line : lines) {
    series.push_back(nlohmann::json::parse(line));
  }
  EXPECT_EQ(series, result["series"]);
}

class EcholoadRefusalTest : public testing::Test {
 protected:
  static void expect_refusal(const std::vector<std::string>& arguments, int exit_code,
                             const std::string& line) {
    std::vector<std::string> words{ECHOLOAD_BINARY};
    words.insert(words.end(), arguments.begin(), arguments.end());
    const ChildResult result = run({.arguments = words, .limits = {{RLIMIT_NOFILE, {1000, 1000}}}});
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "echoload: " + line + '\n');
  }
};

TEST_F(EcholoadRefusalTest, IsOneLineAndAnExitCode) {
  expect_refusal({"127.0.0.1:1"}, 69,
                 "no connection to the server: 127.0.0.1:1: Connection refused");
  expect_refusal({"--connections", "2000", "127.0.0.1:1"}, 71,
                 "2000 connections need a limit of 2037 open files, and it is 1000: raise it with "
                 "ulimit -n, or give fewer --connections");
  expect_refusal({"--connections", "2000", "udp://127.0.0.1:1"}, 71,
                 "2000 sockets need a limit of 4037 open files, and it is 1000: raise it with "
                 "ulimit -n, or give fewer --connections");
  expect_refusal({"--json", "/nonexistent/file", "127.0.0.1:1"}, 71,
                 "cannot write /nonexistent/file: No such file or directory");
  expect_refusal({"--server-pid", "4194303", "127.0.0.1:1"}, 64,
                 "--server-pid: there is no process 4194303");
}

}  // namespace
}  // namespace echod::test
