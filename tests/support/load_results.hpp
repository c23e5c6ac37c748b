// The result of a successful load run, with figures that are easy to find in a report.
#pragma once

#include <chrono>

#include "client/load/load_run.hpp"
#include "client/options/command_line.hpp"
#include "client/report/environment.hpp"
#include "client/report/json_report.hpp"
#include "client/report/verdict.hpp"
#include "client/text/moments.hpp"

namespace echod::test {

// Options of a run with 64 connections and 10 s.
[[nodiscard]] inline client::Options good_options() {
  client::Options options;
  options.target = "echo.example:2003";
  options.host = "echo.example";
  options.port = 2003;
  options.plan.seed = 9;
  options.plan.server = *SocketAddress::parse("192.0.2.9", 2003);
  return options;
}

// 100 000 echoes in 10 s. 50 took 8 ms, the others 1 ms.
[[nodiscard]] inline client::LoadResult good_result() {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  client::LoadResult result;
  result.has_begun = true;
  result.measured = seconds(10);
  result.connected = 64;
  result.tally.connected = 64;
  result.tally.echoes = 100'000;
  result.tally.bytes_sent = 6'400'000;
  result.tally.bytes_received = 6'400'000;
  result.tally.latency.record(milliseconds(1), 99'950);
  result.tally.latency.record(milliseconds(8), 50);
  result.thread_shares = {0.4};
  result.client_cpu = seconds(3);
  return result;
}

// Changes the run to two steps of 5 s with different rates. The server does not keep up in the
// second.
inline void add_steps(client::Options& options, client::LoadResult& result) {
  using std::chrono::milliseconds;
  options.plan.rate_per_s = 5000;
  options.plan.steps = {.rates_per_s = {5000, 10'000}, .time = std::chrono::seconds(5)};
  result.steps.resize(2);
  result.steps[0].echoes = 25'000;
  result.steps[0].latency.record(milliseconds(1), 25'000);
  result.steps[0].service = {.messages = 25'000, .total = std::chrono::seconds(25)};
  result.steps[1].echoes = 40'000;
  result.steps[1].latency.record(milliseconds(8), 50'000);
  result.steps[1].service = {.messages = 40'000, .total = std::chrono::seconds(50)};
}

[[nodiscard]] inline sys::ServerUsage server_usage() {
  using std::chrono::milliseconds;
  return {.user = milliseconds(500),
          .system = milliseconds(1500),
          .resident_bytes = 5 << 20,
          .voluntary_switches = 1234,
          .involuntary_switches = 56};
}

[[nodiscard]] inline client::Environment some_environment() {
  client::Environment environment;
  environment.version = "1.2.3";
  environment.time = "2026-11-21T09:24:18Z";
  environment.host = "load.example";
  environment.kernel = "Linux 6.1.0";
  environment.cpus = 2;
  environment.open_files = 20'000;
  environment.local_ports = {32768, 60999};
  return environment;
}

inline constexpr client::Moment kBegan(std::chrono::seconds(1'795'857'858));

// The result of a run as one machine writes it.
struct MachineRun {
  client::Options options = good_options();
  client::LoadResult result = good_result();
  client::Environment environment = some_environment();

  MachineRun() {
    static std::uint32_t runs = 0;
    options.plan.seed = ++runs;  // No two runs are the same.
    result.measured_from = kBegan;
  }
  [[nodiscard]] std::string json() const {
    return client::run_json(options, result, environment, client::verdict_on(options, result));
  }
};

}  // namespace echod::test
