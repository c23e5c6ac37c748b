#include "client/report/json_report.hpp"

#include <nlohmann/json.hpp>

#include "client/report/json_names.hpp"
#include "client/report/run_merge.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kNanosPerMicro = 1e3;

double micros(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count()) / kNanosPerMicro;
}

// Replaces invalid UTF-8, which a host name may contain.
std::string text_of(const Json& json) {
  constexpr int kIndent = 2;
  return json.dump(kIndent, ' ', false, Json::error_handler_t::replace) + '\n';
}

// Puts the histograms last, on one line each, because they are long.
std::string text_of(const Json& json, const Json& histograms) {
  const std::string_view end = "\n}\n";
  std::string text = text_of(json);
  text.replace(text.size() - end.size(), end.size(), ",\n  \"histograms\": {");
  for (const auto& [name, histogram] : histograms.items()) {
    text += text.ends_with('{') ? "\n" : ",\n";
    text += "    \"" + name + "\": " + histogram.dump();
  }
  return text + "\n  }" + std::string(end);
}

Json histogram_json(const Histogram& histogram) {
  Json buckets = Json::array();
  for (const auto& [highest, count] : histogram.buckets()) {
    buckets.push_back({highest.count(), count});
  }
  return {{"count", histogram.count()},
          {"min", histogram.min().count()},
          {"max", histogram.max().count()},
          {"buckets", buckets}};
}

Json histograms_json(const LoadResult& result) {
  Json json = Json::object();
  for (const auto& [name, member] : kHistogramNames) {
    json[name] = histogram_json(result.tally.*member);
  }
  Json steps = Json::array();
  for (const StepTally& step : result.steps) {
    steps.push_back(histogram_json(step.latency));
  }
  json[kStepHistograms] = steps;
  return json;
}

Json moment_json(const std::optional<Moment>& moment) {
  return moment ? Json(moment_text(*moment)) : Json(nullptr);
}

// The address is null if no server was found.
Json target_json(const Options& options) {
  const Endpoint& server = options.plan.server;
  return {{"given", options.target},
          {"address", server.is_known() ? Json(server.text()) : Json(nullptr)}};
}

Json latency_json(const Histogram& histogram) {
  if (histogram.count() == 0) {
    return nullptr;
  }
  Json json{{"count", histogram.count()},
            {"min", micros(histogram.min())},
            {"mean", histogram.mean_ns() / kNanosPerMicro}};
  for (const auto& [name, percent] : kReportedPercentiles) {
    const auto value = histogram.known_percentile(percent);
    json[name] = value ? Json(micros(*value)) : Json(nullptr);
  }
  return json;
}

Json service_json(const ServiceTime& service) {
  return {{"messages", service.messages}, {"total_ns", service.total.count()}};
}

Json steps_json(const Options& options, const LoadResult& result) {
  Json json = Json::array();
  for (std::size_t i = 0; i < result.steps.size(); ++i) {
    const StepTally& step = result.steps[i];
    const double time = seconds(time_of_step(i, options, result));
    json.push_back({{"rate_per_s", options.plan.steps.rates_per_s[i]},
                    {"measured_s", time},
                    {"echoes", step.echoes},
                    {"echoes_per_s", time > 0 ? static_cast<double>(step.echoes) / time : 0},
                    {"latency_us", latency_json(step.latency)},
                    {"service", service_json(step.service)}});
  }
  return json;
}

// The highest rate up to which every step kept up.
Json knee_json(const Options& options, const LoadResult& result) {
  const std::size_t over = first_over_the_knee(result);
  return over > 0 ? Json(options.plan.steps.rates_per_s[over - 1]) : Json(nullptr);
}

Json parameters_json(const Options& options) {
  const LoadPlan& plan = options.plan;
  Json sources = Json::array();
  for (const SocketAddress& source : plan.sources) {
    sources.push_back(source.host());
  }
  return {
      {"mode", name_of(plan.mode)},
      {"connections", plan.connections},
      {"active", plan.active},
      {"size_min_bytes", plan.sizes.smallest},
      {"size_max_bytes", plan.sizes.largest},
      {"depth", plan.depth},
      {"burst", plan.burst},
      {"threads", plan.threads},
      {"rate_per_s", plan.rate_per_s ? Json(*plan.rate_per_s) : Json(nullptr)},
      {"rate_steps", plan.steps.rates_per_s.empty() ? Json(nullptr)
                                                    : Json{{"rates_per_s", plan.steps.rates_per_s},
                                                           {"time_s", seconds(plan.steps.time)}}},
      {"arrivals", plan.rate_per_s ? Json(name_of(plan.arrivals)) : Json(nullptr)},
      {"messages", plan.messages ? Json(*plan.messages) : Json(nullptr)},
      {"connect_rate_per_s",
       plan.connect_rate_per_s ? Json(*plan.connect_rate_per_s) : Json(nullptr)},
      {"start_at", moment_json(plan.start_at)},
      {"warmup_s", seconds(plan.warmup)},
      {"duration_s", seconds(plan.duration)},
      {"timeout_s", seconds(plan.timeout)},
      {"interval_s", seconds(plan.interval)},
      {"max_errors", options.max_errors},
      {"seed", plan.seed},
      {"sources", sources}};
}

Json environment_json(const Environment& environment) {
  Json json{{"host", environment.host},
            {"kernel", environment.kernel},
            {"cpus", environment.cpus},
            {"open_files", environment.open_files},
            {"local_ports", nullptr}};
  if (environment.local_ports) {
    json["local_ports"] = {environment.local_ports->first, environment.local_ports->second};
  }
  return json;
}

Json parts_json(const std::vector<RunPart>& parts) {
  Json json = Json::array();
  for (const RunPart& part : parts) {
    json.push_back({{"file", part.name},
                    {"environment", environment_json(part.environment)},
                    {"measured_from", moment_json(part.measured_from)},
                    {"measured_s", seconds(part.measured)},
                    {"echoes", part.echoes},
                    {"seed", part.seed},
                    {"busiest_share", part.busiest_share},
                    {"failures", part.failures}});
  }
  return json;
}

Json errors_json(const Tally& tally) {
  Json by_kind = Json::object();
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    by_kind[std::string(name_of(static_cast<LoadError>(i)))] = tally.errors[i];
  }
  return {{"total", tally.errors_in_all()},
          {"mismatches", tally.mismatches()},
          {"by_kind", by_kind},
          {"details", tally.detail_lines()}};
}

Json tcp_json(const Tally& tally) {
  return {{"retransmissions", tally.retransmissions},
          {"round_trip_us", latency_json(tally.round_trip)}};
}

// Null if the server is not on UDP.
Json datagrams_json(const Options& options, const DatagramCounts& counts) {
  if (!options.plan.server.is_udp()) {
    return nullptr;
  }
  Json json = Json::object();
  for (const auto& [name, member] : kDatagramCountNames) {
    json[name] = counts.*member;
  }
  json["loss_percent"] = counts.loss_percent();
  return json;
}

Json lost_json(const Tally& tally) {
  return {{"lost", tally.lost},
          {"back", tally.outage.count()},
          {"outage_us", latency_json(tally.outage)},
          {"messages_unconnected", tally.due_while_lost}};
}

Json json_of(const Interval& interval) {
  const auto micros_or_null = [](const std::optional<std::chrono::nanoseconds>& time) {
    return time ? Json(micros(*time)) : Json(nullptr);
  };
  const IntervalCounts& counts = interval.counts;
  const Json latency{{"count", interval.latencies},
                     {"p50", micros_or_null(interval.p50)},
                     {"p99", micros_or_null(interval.p99)},
                     {"max", micros(interval.max)}};
  return {{"start_s", seconds(interval.begin)},
          {"length_s", seconds(interval.length)},
          {"echoes", counts.echoes},
          {"bytes_sent", counts.bytes_sent},
          {"bytes_received", counts.bytes_received},
          {"errors", counts.errors},
          {"lost_connections", counts.lost},
          {"lost_datagrams", counts.lost_datagrams},
          {"latency_us", interval.latencies > 0 ? latency : Json(nullptr)}};
}

Json series_json(const std::vector<Interval>& series) {
  Json json = Json::array();
  for (const Interval& interval : series) {
    json.push_back(json_of(interval));
  }
  return json;
}

Json client_json(const LoadResult& result) {
  return {{"cpu_s", seconds(result.client_cpu)}, {"thread_shares", result.thread_shares}};
}

Json server_json(const Options& options, const LoadResult& result) {
  if (!result.server) {
    return nullptr;
  }
  const sys::ServerUsage& server = *result.server;
  const auto cost = cpu_us_per_echo(result);
  return {{"pid", options.plan.server_pid.value_or(0)},
          {"user_s", seconds(server.user)},
          {"system_s", seconds(server.system)},
          {"cpu_us_per_echo", cost ? Json(*cost) : Json(nullptr)},
          {"resident_bytes", server.resident_bytes},
          {"voluntary_switches", server.voluntary_switches},
          {"involuntary_switches", server.involuntary_switches}};
}

Json limits_json(const Verdict& verdict) {
  Json limits = Json::array();
  for (const LimitOutcome& outcome : verdict.limits) {
    const bool is_latency = outcome.limit.kind == Limit::Kind::latency;
    const double unit = is_latency ? kNanosPerMicro : 1;
    limits.push_back({{"limit", outcome.limit.text},
                      {is_latency ? "measured_us" : "measured",
                       outcome.measured ? Json(*outcome.measured / unit) : Json(nullptr)},
                      {"met", outcome.is_met}});
  }
  return limits;
}

}  // namespace

std::string run_json(const Options& options, const LoadResult& result,
                     const Environment& environment, const Verdict& verdict,
                     const std::vector<RunPart>& parts) {
  const Tally& tally = result.tally;
  const Json json{{"kind", parts.empty() ? "run" : "merged"},
                  {"echoload", environment.version},
                  {"time", environment.time},
                  {"target", target_json(options)},
                  {"environment", parts.empty() ? environment_json(environment) : Json(nullptr)},
                  {"parameters", parameters_json(options)},
                  {"began", result.has_begun},
                  {"interrupted", result.is_interrupted},
                  {"measured_from", moment_json(result.measured_from)},
                  {"measured_s", seconds(result.measured)},
                  {"connected", result.connected},
                  {"connecting_s", seconds(result.connecting)},
                  {"echoes", tally.echoes},
                  {"echoes_per_s", rate_of(result)},
                  {"bytes_sent", tally.bytes_sent},
                  {"bytes_received", tally.bytes_received},
                  {"sent_mb_per_s", per_second(tally.bytes_sent, result) / kMega},
                  {"received_mb_per_s", per_second(tally.bytes_received, result) / kMega},
                  {"latency_us", latency_json(tally.latency)},
                  {"connect_us", latency_json(tally.connect)},
                  {"first_byte_us", latency_json(tally.first_byte)},
                  {"send_lag_us", latency_json(tally.send_lag)},
                  {"receive_lag_us", latency_json(tally.receive_lag)},
                  {"not_sent", tally.not_sent},
                  {"service", service_json(tally.service)},
                  {"steps", steps_json(options, result)},
                  {"knee_per_s", knee_json(options, result)},
                  {"tcp", tcp_json(tally)},
                  {"datagrams", datagrams_json(options, tally.datagrams)},
                  {"lost_connections", lost_json(tally)},
                  {"errors", errors_json(tally)},
                  {"series", series_json(result.series)},
                  {"client", client_json(result)},
                  {"server", server_json(options, result)},
                  {"slo", limits_json(verdict)},
                  {"warnings", verdict.warnings},
                  {"failures", verdict.failures},
                  {"passed", verdict.has_passed()},
                  {"begin_skew_us", micros(begin_skew(parts))},
                  {"parts", parts_json(parts)}};
  return text_of(json, histograms_json(result));
}

std::string interval_json(const Interval& interval) {
  return json_of(interval).dump();
}

std::string check_json(const Options& options, const std::vector<CheckResult>& results,
                       const Environment& environment) {
  Json checks = Json::array();
  for (const CheckResult& result : results) {
    checks.push_back({{"name", result.name},
                      {"verdict", name_of(result.verdict)},
                      {"figure", result.figure},
                      {"reason", result.reason}});
  }
  return text_of({{"kind", "check"},
                  {"echoload", environment.version},
                  {"time", environment.time},
                  {"target", target_json(options)},
                  {"seed", options.plan.seed},
                  {"checks", checks},
                  {"passed", have_passed(results)}});
}

}  // namespace echod::client
