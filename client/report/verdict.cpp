#include "verdict.hpp"

#include <algorithm>

#include "figures.hpp"

namespace echod::client {

namespace {

void judge_limits(const Options& options, const LoadResult& result, Verdict& verdict) {
  const Histogram& latency = result.tally.latency;
  for (const LatencyLimit& limit : options.limits) {
    const auto measured = latency.percentile(limit.percent);
    const bool is_met = latency.count() > 0 && measured <= limit.most;
    verdict.limits.push_back({.limit = limit, .measured = measured, .is_met = is_met});
    if (latency.count() == 0) {
      verdict.failures.push_back(limit.text + " was missed: nothing was measured");
    } else if (!is_met) {
      verdict.failures.push_back(limit.text + " was missed: " + duration_text(measured));
    }
  }
}

void judge_errors(const Options& options, const LoadResult& result, Verdict& verdict) {
  const std::uint64_t mismatches = result.tally.mismatches();
  const std::uint64_t errors = result.tally.errors_in_all() - mismatches;
  if (mismatches > 0) {
    verdict.failures.push_back("wrong or missing bytes: " + count_text(mismatches));
  }
  if (errors > options.max_errors) {
    verdict.failures.push_back("errors: " + count_text(errors) + ", allowed are " +
                               count_text(options.max_errors));
  }
  const bool is_idle = options.plan.active == 0;
  const bool has_echoed = result.tally.echoes > 0 || result.tally.bytes_received > 0;
  if (!is_idle && !has_echoed && verdict.failures.empty()) {
    verdict.failures.emplace_back(result.is_interrupted
                                      ? "interrupted before anything was measured"
                                      : "nothing came back while it was measured");
  }
}

bool is_rate_reached(const Options& options, const LoadResult& result) {
  constexpr double kNearlyAll = 0.99;
  return options.plan.rate_per_s && rate_of(result) >= kNearlyAll * *options.plan.rate_per_s;
}

// A rate that was reached was not limited by anybody.
void warn_of_client(const Options& options, const LoadResult& result, Verdict& verdict) {
  constexpr double kBusy = 0.95;
  const double busiest = busiest_share(result);
  if (busiest >= kBusy && !is_rate_reached(options, result)) {
    verdict.warnings.push_back(
        "the client was the limit: a thread of it was on a CPU, or waiting for one, for " +
        number_text(busiest * kPercent, 0) +
        " % of the time; use more --threads, or more CPUs, to find the server's");
  }
}

void warn_of_rate(const Options& options, const LoadResult& result, Verdict& verdict) {
  if (!options.plan.rate_per_s) {
    return;
  }
  if (!options.plan.messages && !is_rate_reached(options, result)) {
    verdict.warnings.push_back("the rate was not reached: " + number_text(rate_of(result), 0) +
                               " of " + number_text(*options.plan.rate_per_s, 0) + " per second");
  }
  constexpr double kMost = 99;
  constexpr int kSmallShare = 10;
  constexpr std::chrono::milliseconds kSmall{1};
  const auto lag = result.tally.send_lag.percentile(kMost);
  if (lag > kSmall && lag * kSmallShare > result.tally.latency.percentile(kMost)) {
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

double rate_of(const LoadResult& result) noexcept {
  return per_second(result.tally.echoes, result);
}

Verdict verdict_on(const Options& options, const LoadResult& result) {
  Verdict verdict;
  judge_errors(options, result, verdict);
  judge_limits(options, result, verdict);
  warn_of_client(options, result, verdict);
  warn_of_rate(options, result, verdict);
  return verdict;
}

}  // namespace echod::client
