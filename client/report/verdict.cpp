#include "client/report/verdict.hpp"

#include <algorithm>
#include <cmath>

#include "client/text/figures.hpp"

namespace echod::client {

namespace {

// Whether the run reached the rate. One echo may be missing because of the window's edges.
bool reaches(double rate_per_s, const LoadResult& result) {
  return static_cast<double>(result.tally.echoes + 1) >= rate_per_s * seconds(result.measured);
}

void judge_latency(const Limit& limit, const Histogram& latency, Verdict& verdict) {
  const auto measured = latency.known_percentile(limit.percent);
  const bool is_met = measured && *measured <= limit.most;
  verdict.limits.push_back(
      {.limit = limit,
       .measured = measured ? std::optional(static_cast<double>(measured->count())) : std::nullopt,
       .is_met = is_met});
  if (!measured) {
    verdict.failures.push_back(limit.text + " needs " +
                               count_text(Histogram::samples_for(limit.percent)) +
                               " latencies; the run has " + count_text(latency.count()));
  } else if (!is_met) {
    verdict.failures.push_back(limit.text + " was missed: " + duration_text(*measured));
  }
}

void judge_number(const Limit& limit, double measured, bool is_met, Verdict& verdict) {
  verdict.limits.push_back({.limit = limit, .measured = measured, .is_met = is_met});
  if (!is_met) {
    verdict.failures.push_back(limit.text + " was missed: " + short_number_text(measured));
  }
}

void judge_limits(const Options& options, const LoadResult& result, Verdict& verdict) {
  for (const Limit& limit : options.limits) {
    switch (limit.kind) {
      case Limit::Kind::latency:
        judge_latency(limit, result.tally.latency, verdict);
        break;
      case Limit::Kind::rate:
        judge_number(limit, rate_of(result), reaches(limit.number, result), verdict);
        break;
      case Limit::Kind::errors: {
        const auto errors = static_cast<double>(result.tally.errors_in_all());
        judge_number(limit, errors, errors <= limit.number, verdict);
        break;
      }
      case Limit::Kind::loss: {
        const double loss = result.tally.datagrams.loss_percent();
        judge_number(limit, loss, loss <= limit.number, verdict);
        break;
      }
    }
  }
}

bool has_limit_of(const Options& options, Limit::Kind kind) {
  return std::ranges::any_of(options.limits,
                             [kind](const Limit& limit) { return limit.kind == kind; });
}

void judge_begin(const Options& options, const LoadResult& result, Verdict& verdict) {
  if (result.start_missed_by > std::chrono::nanoseconds(0)) {
    const bool is_udp = options.plan.server.is_udp();
    verdict.failures.push_back(
        (is_udp ? "the sockets were opened " : "the connections were made ") +
        duration_text(result.start_missed_by) + " after --start-at: give a later moment");
  }
}

// A limit on the errors replaces --max-errors.
void judge_errors(const Options& options, const LoadResult& result, Verdict& verdict) {
  const std::uint64_t mismatches = result.tally.mismatches();
  const std::uint64_t errors = result.tally.errors_in_all() - mismatches;
  if (mismatches > 0) {
    verdict.failures.push_back("wrong or missing bytes: " + count_text(mismatches));
  }
  if (errors > options.max_errors && !has_limit_of(options, Limit::Kind::errors)) {
    verdict.failures.push_back("errors: " + count_text(errors) + " (at most " +
                               count_text(options.max_errors) + " allowed)");
  }
  const bool is_idle = options.plan.active == 0;
  const bool has_echoed = result.tally.echoes > 0 || result.tally.bytes_received > 0;
  if (is_idle || has_echoed || !verdict.failures.empty()) {
    return;
  }
  if (result.is_interrupted) {
    verdict.warnings.emplace_back("interrupted before anything was measured");
  } else {
    verdict.failures.emplace_back("nothing came back during the measurement");
  }
}

// Without a limit on the loss, a run with any lost datagram fails. A silence of one timeout is no
// failure: all sockets may be waiting for lost datagrams. In a longer silence the next datagrams
// were lost too.
void judge_datagrams(const Options& options, const LoadResult& result, Verdict& verdict) {
  constexpr double kMostSilence = 1.5;  // Timeouts.
  const DatagramCounts& counts = result.tally.datagrams;
  if (counts.lost > 0 && !has_limit_of(options, Limit::Kind::loss)) {
    verdict.failures.push_back("lost datagrams: " + count_text(counts.lost) + " of " +
                               count_text(counts.sent) + "; --slo loss=1% would allow 1 %");
  }
  if (!options.plan.rate_per_s && result.tally.silence > kMostSilence * options.plan.timeout) {
    verdict.failures.push_back("nothing came back for " + duration_text(result.tally.silence) +
                               ": a closed loop sends little in such a time, so few are lost");
  }
  if (counts.duplicated > options.max_errors) {
    verdict.failures.push_back("duplicated answers: " + count_text(counts.duplicated) +
                               " (at most " + count_text(options.max_errors) + " allowed)");
  }
  if (counts.dropped_here > 0) {
    verdict.warnings.push_back(count_text(counts.dropped_here) +
                               " of the answers were lost by this host, because its receive "
                               "buffers were full: raise net.core.rmem_max, or use more --threads");
  }
  if (counts.split_bursts > 0) {
    verdict.warnings.push_back(count_text(counts.split_bursts) +
                               " bursts were sent one by one, because the kernel refused a train");
  }
}

// A busy client distorts every figure.
bool is_client_busy(const LoadResult& result) {
  constexpr double kBusy = 0.9;
  return busiest_share(result) >= kBusy;
}

void warn_of_client(const LoadResult& result, Verdict& verdict) {
  if (is_client_busy(result)) {
    verdict.warnings.push_back(
        "the client was the bottleneck: one thread was busy " +
        number_text(busiest_share(result) * kPercent, 0) +
        " % of the time; use more --threads, or more CPUs, to find the server's limit");
  }
}

// A rate, and the service time that limits it.
using RateAndService = std::pair<double, ServiceTime>;

std::optional<RateAndService> limiting_service(const Options& options, const LoadResult& result) {
  const std::size_t knee = first_over_the_knee(result);
  if (!options.plan.rate_per_s) {
    return std::nullopt;
  }
  if (result.steps.empty()) {
    return RateAndService(*options.plan.rate_per_s, result.tally.service);
  }
  if (knee == result.steps.size()) {
    return std::nullopt;
  }
  return RateAndService(options.plan.steps.rates_per_s[knee],
                        result.steps[std::max<std::size_t>(knee, 1) - 1].service);
}

std::chrono::nanoseconds mean_of(const ServiceTime& service) {
  return service.total / static_cast<std::int64_t>(std::max<std::uint64_t>(1, service.messages));
}

void warn_of_rate(const Options& options, const LoadResult& result, Verdict& verdict) {
  constexpr double kNearlyAll = 0.99;
  if (!options.plan.rate_per_s) {
    return;
  }
  const double rate = *options.plan.rate_per_s;
  // Random arrivals vary in number. Every message due in the window has a latency.
  const double due = options.plan.arrivals == Arrivals::poisson
                         ? per_second(result.tally.latency.count(), result)
                         : rate;
  const bool has_one_rate = !options.plan.messages && result.steps.empty();
  if (has_one_rate && !reaches(kNearlyAll * due, result)) {
    verdict.warnings.push_back("the rate was not reached: " + short_number_text(rate_of(result)) +
                               " of " + short_number_text(rate) + " per second");
  }
  if (const auto needed = connections_needed(options, result); needed && !is_client_busy(result)) {
    const auto [limiting_rate, service] = *limiting_service(options, result);
    verdict.warnings.push_back(
        "too few connections for " + short_number_text(limiting_rate) +
        " per second: each message kept a connection busy for " + duration_text(mean_of(service)) +
        "; the messages behind it waited, and the wait is in the latency; give --connections " +
        std::to_string(*needed) + ", or a larger --depth");
  }
}

// Warns if this client causes much of the latency.
void warn_of_lag(const Options& options, const LoadResult& result, Verdict& verdict) {
  constexpr double kMost = 99;
  constexpr int kSmallShare = 10;
  constexpr std::chrono::microseconds kSmall{100};  // The time of a wake-up.
  const auto lag = result.tally.send_lag.percentile(kMost);
  if (options.plan.rate_per_s && lag > kSmall &&
      lag * kSmallShare > result.tally.latency.percentile(kMost)) {
    verdict.warnings.push_back("the client was late: " + duration_text(lag) +
                               " (p99) of the latency is its own");
  }
}

}  // namespace

double seconds(std::chrono::nanoseconds time) noexcept {
  return std::chrono::duration<double>(time).count();
}

double busiest_share(const LoadResult& result) noexcept {
  const auto& shares = result.thread_shares;
  return shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
}

std::optional<double> cpu_us_per_echo(const LoadResult& result) noexcept {
  if (!result.server || result.tally.echoes == 0) {
    return std::nullopt;
  }
  constexpr double kMicrosPerSecond = 1e6;
  return seconds(result.server->user + result.server->system) * kMicrosPerSecond /
         static_cast<double>(result.tally.echoes);
}

double per_second(std::uint64_t amount, const LoadResult& result) noexcept {
  const double window = seconds(result.measured);
  return window > 0 ? static_cast<double>(amount) / window : 0;
}

std::chrono::nanoseconds time_of_step(std::size_t step, const Options& options,
                                      const LoadResult& result) noexcept {
  const std::chrono::nanoseconds time = options.plan.steps.time;
  return std::clamp(result.measured - time * static_cast<std::int64_t>(step),
                    std::chrono::nanoseconds(0), time);
}

std::size_t first_over_the_knee(const LoadResult& result) noexcept {
  constexpr double kNearlyAll = 0.99;
  constexpr double kMedian = 50;
  constexpr int kMuchMore = 10;
  auto lowest = Histogram::kLongest;
  for (std::size_t step = 0; step < result.steps.size(); ++step) {
    const StepTally& tally = result.steps[step];
    const auto due = static_cast<double>(tally.latency.count());
    const auto median = tally.latency.percentile(kMedian);
    // One echo may be missing because of the edges of the step.
    if (static_cast<double>(tally.echoes + 1) < kNearlyAll * due || median / kMuchMore > lowest) {
      return step;
    }
    lowest = due > 0 ? std::min(lowest, median) : lowest;
  }
  return result.steps.size();
}

std::optional<std::uint64_t> connections_needed(const Options& options,
                                                const LoadResult& result) noexcept {
  constexpr double kUsable = 0.9;
  const LoadPlan& plan = options.plan;
  const auto limiting = limiting_service(options, result);
  if (!limiting || limiting->second.messages == 0) {
    return std::nullopt;
  }
  const auto& [rate, service] = *limiting;
  const double mean = seconds(service.total) / static_cast<double>(service.messages);
  const double depth = plan.mode == LoadMode::connect ? 1 : plan.depth;
  const double needed = std::ceil(rate * mean / depth / kUsable);
  return needed > plan.active ? std::optional(static_cast<std::uint64_t>(needed)) : std::nullopt;
}

double rate_of(const LoadResult& result) noexcept {
  return per_second(result.tally.echoes, result);
}

Verdict verdict_on(const Options& options, const LoadResult& result) {
  Verdict verdict;
  judge_begin(options, result, verdict);
  judge_errors(options, result, verdict);
  judge_datagrams(options, result, verdict);
  judge_limits(options, result, verdict);
  warn_of_client(result, verdict);
  warn_of_rate(options, result, verdict);
  warn_of_lag(options, result, verdict);
  return verdict;
}

Verdict could_not_begin(const std::string& reason) {
  return {.limits = {}, .failures = {"the run could not begin: " + reason}, .warnings = {}};
}

}  // namespace echod::client
