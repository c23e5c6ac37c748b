#include "client/report/run_lines.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "client/report/verdict.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

std::string sizes_text(const MessageSizes& sizes) {
  std::string smallest = size_text(sizes.smallest);
  if (sizes.is_fixed()) {
    return smallest;
  }
  return smallest + " to " + size_text(sizes.largest);
}

std::string rates_text(const LoadPlan& plan) {
  const std::vector<double>& rates = plan.steps.rates_per_s;
  const std::string first = short_number_text(*plan.rate_per_s);
  if (rates.empty()) {
    return first + "/s";
  }
  return first + " to " + short_number_text(rates.back()) + "/s in " +
         plural(rates.size(), "step") + " of " + duration_text(plan.steps.time);
}

}  // namespace

std::string settings_line(const Options& options) {
  const LoadPlan& plan = options.plan;
  std::string text = std::string(name_of(plan.mode)) + ", " +
                     plural(plan.connections, plan.server.is_udp() ? "socket" : "connection");
  if (plan.active < plan.connections) {
    text += " (" + count_text(plan.active) + " active)";
  }
  text += ", " + sizes_text(plan.sizes);
  // An open loop of datagrams has no depth.
  if (plan.mode != LoadMode::connect && !(plan.server.is_udp() && plan.rate_per_s)) {
    text += ", depth " + std::to_string(plan.depth);
  }
  if (plan.burst > 1) {
    text += ", bursts of " + std::to_string(plan.burst);
  }
  if (plan.mode != LoadMode::stream) {
    if (plan.rate_per_s) {
      text += ", open loop at " + rates_text(plan);
    } else {
      text += ", closed loop";
    }
    text += plan.arrivals == Arrivals::poisson ? ", Poisson arrivals" : "";
  }
  return text + ", " + plural(plan.threads, "thread") + ", to " + plan.server.text();
}

// The most important figures come first, because a narrow terminal cuts the line.
std::string progress_line(const Options& options, const LoadProgress& progress) {
  constexpr std::array<const char*, 6> kPhases{
      "connecting", "waiting for --start-at", "warming up", "measuring", "finishing", "done"};
  const Tally& tally = progress.tally;
  const double time = seconds(progress.measured);
  std::string text = kPhases[static_cast<std::size_t>(progress.phase)];
  if (time > 0) {
    text +=
        ' ' + number_text(time, 0) + " of " + number_text(seconds(options.plan.duration), 0) + " s";
  }
  const bool is_udp = options.plan.server.is_udp();
  text += ": " + plural(tally.errors_in_all(), "error") + ", ";
  text += is_udp ? count_text(tally.datagrams.lost) + " lost, " : "";
  text += count_text(tally.connected) + " of " +
          plural(options.plan.connections, is_udp ? "socket" : "connection");
  if (time > 0) {
    text += ", " + short_number_text(static_cast<double>(tally.echoes) / time) + " echoes/s";
  }
  for (const auto& [name, percent] : {std::pair(", p50 ", 50.0), std::pair(", p99 ", 99.0)}) {
    if (const auto known = tally.latency.known_percentile(percent)) {
      text += name + duration_text(*known);
    }
  }
  if (time > 0) {
    text +=
        ", " + number_text(static_cast<double>(tally.bytes_received) / time / kMega, 1) + " MB/s";
  }
  return text;
}

std::string interval_line(const Options& options, const Interval& interval) {
  constexpr int kDecimals = 2;
  const bool is_whole = options.plan.interval % std::chrono::seconds(1) == std::chrono::seconds(0);
  const int decimals = is_whole ? 0 : kDecimals;
  const double length = std::max(seconds(interval.length), 1e-9);
  const IntervalCounts& counts = interval.counts;
  std::string text = number_text(seconds(interval.begin), decimals) + " to " +
                     number_text(seconds(interval.begin + interval.length), decimals) + " s: ";
  text += plural(counts.errors, "error") + ", ";
  text += short_number_text(static_cast<double>(counts.echoes) / length) + " echoes/s, ";
  if (interval.latencies > 0) {
    if (interval.p50) {
      text += "p50 " + duration_text(*interval.p50) + ", ";
    }
    if (interval.p99) {
      text += "p99 " + duration_text(*interval.p99) + ", ";
    }
    text += "max " + duration_text(interval.max) + ", ";
  }
  text += number_text(static_cast<double>(counts.bytes_received) / length / kMega, 1) + " MB/s";
  if (counts.lost > 0) {
    text += ", " + plural(counts.lost, "connection") + " lost";
  }
  if (counts.lost_datagrams > 0) {
    text += ", " + plural(counts.lost_datagrams, "datagram") + " lost";
  }
  return text;
}

}  // namespace echod::client
