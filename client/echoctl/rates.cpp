#include "client/echoctl/rates.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

// The prefix of the counters of datagrams that echod read and did not echo.
constexpr std::string_view kDroppedPrefix = "datagrams_dropped_";

double rate(const Status& before, const Status& now, std::string_view counter, double seconds) {
  return static_cast<double>(growth(before.counter(counter), now.counter(counter))) / seconds;
}

void add_closes(Rates& rates, const Status& before, const Status& now) {
  for (const auto& [name, value] : now.counters) {
    if (!name.starts_with(kClosedPrefix)) {
      continue;
    }
    const double closed = rate(before, now, name, rates.seconds);
    rates.closed += closed;
    if (closed > 0) {
      rates.closed_by_reason.emplace_back(name.substr(kClosedPrefix.size()), closed);
    }
  }
  std::ranges::stable_sort(rates.closed_by_reason, [](const auto& one, const auto& other) {
    return one.second > other.second;
  });
}

std::uint64_t dropped_by_kernel(const Status& status) noexcept {
  std::uint64_t sum = 0;
  for (const DatagramListener& listener : status.datagram_listeners) {
    sum += listener.dropped;
  }
  return sum;
}

void add_datagrams(Rates& rates, const Status& before, const Status& now) {
  rates.datagrams_received = rate(before, now, "datagrams_received", rates.seconds);
  rates.datagrams_echoed = rate(before, now, "datagrams_echoed", rates.seconds);
  for (const auto& [name, value] : now.counters) {
    if (name.starts_with(kDroppedPrefix)) {
      rates.datagrams_dropped += rate(before, now, name, rates.seconds);
    }
  }
  rates.datagrams_dropped_by_kernel =
      static_cast<double>(growth(dropped_by_kernel(before), dropped_by_kernel(now))) /
      rates.seconds;
}

Delays delays_between(const Delays& before, const Delays& now) {
  Delays delays = now;
  const std::size_t known = std::min(before.ranges.size(), delays.ranges.size());
  for (std::size_t i = 0; i < known; ++i) {
    delays.ranges[i].count = growth(before.ranges[i].count, delays.ranges[i].count);
  }
  return delays;
}

// The range in which the wanted sample is.
struct Found {
  double least_s;  // The bound of the range before.
  std::optional<double> most_s;
  double share;  // How much of this range lies below the wanted sample: 0 to 1.
};

std::optional<Found> find(const Delays& delays, double share) noexcept {
  const double wanted = share * static_cast<double>(delays.count());
  double below = 0;
  double least_s = 0;
  for (const Delays::Range& range : delays.ranges) {
    const auto count = static_cast<double>(range.count);
    if (count > 0 && below + count >= wanted) {
      return Found{.least_s = least_s, .most_s = range.most_s, .share = (wanted - below) / count};
    }
    below += count;
    least_s = range.most_s.value_or(least_s);
  }
  return std::nullopt;
}

std::string seconds_text(double seconds) {
  constexpr double kNanosecondsPerSecond = 1e9;
  return client::duration_text(
      std::chrono::nanoseconds(std::llround(seconds * kNanosecondsPerSecond)));
}

}  // namespace

std::uint64_t growth(std::uint64_t before, std::uint64_t now) noexcept {
  return now > before ? now - before : 0;
}

std::optional<Rates> rates_between(const Status& before, const Status& now) {
  const bool is_restarted = before.pid != now.pid || before.started_at != now.started_at;
  if (is_restarted || now.now <= before.now) {
    return std::nullopt;
  }
  Rates rates;
  rates.seconds = now.now - before.now;
  rates.accepted = rate(before, now, "accepted", rates.seconds);
  rates.echoes = rate(before, now, "echoes", rates.seconds);
  rates.bytes_received = rate(before, now, "bytes_received", rates.seconds);
  rates.bytes_sent = rate(before, now, "bytes_sent", rates.seconds);
  add_closes(rates, before, now);
  add_datagrams(rates, before, now);
  const double cpu_s = now.cpu_user_s + now.cpu_system_s - before.cpu_user_s - before.cpu_system_s;
  rates.cpu_share = std::max(0.0, cpu_s / rates.seconds);
  rates.delays = delays_between(before.server_delay, now.server_delay);
  return rates;
}

std::optional<double> quantile(const Delays& delays, double share) noexcept {
  const std::optional<Found> found = find(delays, share);
  if (!found) {
    return std::nullopt;
  }
  return found->most_s ? found->least_s + (*found->most_s - found->least_s) * found->share
                       : found->least_s;
}

std::string quantile_text(const Delays& delays, double share) {
  const std::optional<Found> found = find(delays, share);
  if (!found) {
    return "-";
  }
  return (found->most_s ? "" : "> ") + seconds_text(*quantile(delays, share));
}

}  // namespace echod::ctl
