#include "client/report/run_record.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "client/report/json_names.hpp"
#include "client/report/verdict.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

using Source = nlohmann::json;
using std::chrono::nanoseconds;

constexpr double kNanosPerSecond = 1e9;

template <typename Value>
Value value_at(const Source& json, const char* pointer) {
  return json.at(Source::json_pointer(pointer)).get<Value>();
}

template <typename Value>
std::optional<Value> optional_at(const Source& json, const char* pointer) {
  const Source& value = json.at(Source::json_pointer(pointer));
  return value.is_null() ? std::nullopt : std::optional(value.get<Value>());
}

// A time given in seconds. Exact up to a hundred days: the shortest text of a double restores it,
// and 53 bits hold that many nanoseconds.
nanoseconds time_at(const Source& json, const char* pointer) {
  return nanoseconds(std::llround(value_at<double>(json, pointer) * kNanosPerSecond));
}

std::optional<Moment> moment_at(const Source& json, const char* pointer) {
  const auto text = optional_at<std::string>(json, pointer);
  const auto moment = text ? parse_moment(*text) : std::nullopt;
  if (text && !moment) {
    throw std::runtime_error('"' + *text + "\" is not a valid time");
  }
  return moment;
}

Histogram histogram_from(const Source& json) {
  Histogram::Buckets buckets;
  for (const Source& bucket : json.at("buckets")) {
    buckets.emplace_back(bucket.at(0).get<std::int64_t>(), bucket.at(1).get<std::uint64_t>());
  }
  const auto histogram = Histogram::from(buckets, nanoseconds(json.at("min").get<std::int64_t>()),
                                         nanoseconds(json.at("max").get<std::int64_t>()));
  if (!histogram || histogram->count() != json.at("count").get<std::uint64_t>()) {
    throw std::runtime_error("a histogram in it does not add up");
  }
  return *histogram;
}

ServiceTime service_from(const Source& json) {
  return {.messages = json.at("messages"),
          .total = nanoseconds(json.at("total_ns").get<std::int64_t>())};
}

std::vector<StepTally> steps_from(const Source& json) {
  const Source& steps = json.at("steps");
  std::vector<StepTally> tallies(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    tallies[i].echoes = steps.at(i).at("echoes");
    tallies[i].latency = histogram_from(json.at("histograms").at(kStepHistograms).at(i));
    tallies[i].service = service_from(steps.at(i).at("service"));
  }
  return tallies;
}

Tally tally_from(const Source& json) {
  Tally tally;
  for (const auto& [name, member] : kHistogramNames) {
    tally.*member = histogram_from(json.at("histograms").at(name));
  }
  for (const auto& [pointer, member] : kCountNames) {
    tally.*member = value_at<std::uint64_t>(json, pointer);
  }
  tally.service = service_from(json.at("service"));
  if (const Source& datagrams = json.at("datagrams"); !datagrams.is_null()) {
    for (const auto& [name, member] : kDatagramCountNames) {
      tally.datagrams.*member = datagrams.at(name);
    }
  }
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    tally.errors.at(i) =
        json.at("errors").at("by_kind").at(std::string(name_of(static_cast<LoadError>(i))));
  }
  // The line number serves as time, so that merging puts the first lines of each part first.
  sys::TimePoint order{};
  for (const Source& line : json.at("errors").at("details")) {
    tally.details.push_back({.time = order += nanoseconds(1), .text = line});
  }
  return tally;
}

SocketAddress address_of(const std::string& host) {
  const auto address = SocketAddress::parse(host, 0);
  if (!address) {
    throw std::runtime_error('"' + host + "\" is not a valid address");
  }
  return *address;
}

Endpoint endpoint_from(const std::string& text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) {
    throw std::runtime_error('"' + text + "\" is not a valid address");
  }
  return *endpoint;
}

LoadMode mode_from(const std::string& text) {
  const auto mode = mode_named(text);
  if (!mode) {
    throw std::runtime_error('"' + text + "\" is not a valid mode");
  }
  return *mode;
}

Options options_from(const Source& json) {
  const Source& given = json.at("parameters");
  Options options;
  options.target = value_at<std::string>(json, "/target/given");
  options.max_errors = value_at<std::uint64_t>(given, "/max_errors");
  LoadPlan& plan = options.plan;
  if (const auto address = optional_at<std::string>(json, "/target/address")) {
    plan.server = endpoint_from(*address);
  }
  for (const Source& source : given.at("sources")) {
    plan.sources.push_back(address_of(source));
  }
  plan.mode = mode_from(value_at<std::string>(given, "/mode"));
  plan.connections = value_at<std::uint32_t>(given, "/connections");
  plan.active = value_at<std::uint32_t>(given, "/active");
  plan.sizes = {.smallest = value_at<std::uint32_t>(given, "/size_min_bytes"),
                .largest = value_at<std::uint32_t>(given, "/size_max_bytes")};
  plan.depth = value_at<std::uint32_t>(given, "/depth");
  plan.burst = value_at<std::uint32_t>(given, "/burst");
  plan.threads = value_at<std::uint32_t>(given, "/threads");
  plan.rate_per_s = optional_at<double>(given, "/rate_per_s");
  if (const Source& steps = given.at("rate_steps"); !steps.is_null()) {
    plan.steps = {.rates_per_s = steps.at("rates_per_s"), .time = time_at(steps, "/time_s")};
  }
  plan.arrivals = optional_at<std::string>(given, "/arrivals") == name_of(Arrivals::poisson)
                      ? Arrivals::poisson
                      : Arrivals::constant;
  plan.messages = optional_at<std::uint64_t>(given, "/messages");
  plan.connect_rate_per_s = optional_at<double>(given, "/connect_rate_per_s");
  plan.start_at = moment_at(given, "/start_at");
  plan.warmup = time_at(given, "/warmup_s");
  plan.duration = time_at(given, "/duration_s");
  plan.timeout = time_at(given, "/timeout_s");
  plan.interval = time_at(given, "/interval_s");
  plan.seed = value_at<std::uint32_t>(given, "/seed");
  return options;
}

std::optional<sys::ServerUsage> server_from(const Source& json, Options& options) {
  const Source& server = json.at("server");
  if (server.is_null()) {
    return std::nullopt;
  }
  options.plan.server_pid = value_at<pid_t>(server, "/pid");
  return sys::ServerUsage{
      .user = time_at(server, "/user_s"),
      .system = time_at(server, "/system_s"),
      .resident_bytes = value_at<std::uint64_t>(server, "/resident_bytes"),
      .voluntary_switches = value_at<std::uint64_t>(server, "/voluntary_switches"),
      .involuntary_switches = value_at<std::uint64_t>(server, "/involuntary_switches")};
}

Environment environment_from(const Source& json) {
  Environment environment;
  environment.host = json.at("host");
  environment.kernel = json.at("kernel");
  environment.cpus = json.at("cpus");
  environment.open_files = json.at("open_files");
  if (const Source& ports = json.at("local_ports"); !ports.is_null()) {
    environment.local_ports = ports.get<std::pair<std::uint32_t, std::uint32_t>>();
  }
  return environment;
}

std::vector<RunPart> parts_from(const Source& json) {
  std::vector<RunPart> parts;
  for (const Source& part : json.at("parts")) {
    parts.push_back({.name = part.at("file"),
                     .environment = environment_from(part.at("environment")),
                     .measured_from = moment_at(part, "/measured_from"),
                     .measured = time_at(part, "/measured_s"),
                     .echoes = part.at("echoes"),
                     .seed = part.at("seed"),
                     .busiest_share = part.at("busiest_share"),
                     .failures = part.at("failures")});
  }
  return parts;
}

RunRecord record_from(const std::string& name, const Source& json) {
  if (json.at("kind") != "run" && json.at("kind") != "merged") {
    throw std::runtime_error(json.at("kind").dump() + " is not a valid kind");
  }
  RunRecord record;
  record.options = options_from(json);
  LoadResult& result = record.result;
  result.tally = tally_from(json);
  result.has_begun = value_at<bool>(json, "/began");
  result.steps = steps_from(json);
  if (result.has_begun && result.steps.size() != record.options.plan.steps.rates_per_s.size()) {
    throw std::runtime_error("its steps are not those of its rate");
  }
  result.steps.resize(record.options.plan.steps.rates_per_s.size());
  result.measured_from = moment_at(json, "/measured_from");
  result.measured = time_at(json, "/measured_s");
  result.is_interrupted = value_at<bool>(json, "/interrupted");
  result.connected = value_at<std::uint64_t>(json, "/connected");
  result.connecting = time_at(json, "/connecting_s");
  result.client_cpu = time_at(json, "/client/cpu_s");
  result.thread_shares = value_at<std::vector<double>>(json, "/client/thread_shares");
  result.server = server_from(json, record.options);
  record.parts = parts_from(json);
  if (record.parts.empty()) {
    record.parts.push_back({.name = name,
                            .environment = environment_from(json.at("environment")),
                            .measured_from = result.measured_from,
                            .measured = result.measured,
                            .echoes = result.tally.echoes,
                            .seed = record.options.plan.seed,
                            .busiest_share = busiest_share(result),
                            .failures = json.at("failures")});
  }
  return record;
}

}  // namespace

RunRecord read_run(const std::string& name, const std::string& json) {
  try {
    return record_from(name, Source::parse(json));
  } catch (const std::exception& error) {
    throw std::runtime_error(name + " is not a result of echoload run: " + error.what());
  }
}

}  // namespace echod::client
