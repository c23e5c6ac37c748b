#include "client/load/series.hpp"

#include <algorithm>

namespace echod::client {

IntervalCounts IntervalCounts::of(const Tally& tally) noexcept {
  return {.echoes = tally.echoes,
          .bytes_sent = tally.bytes_sent,
          .bytes_received = tally.bytes_received,
          .errors = tally.errors_in_all(),
          .lost = tally.lost,
          .lost_datagrams = tally.datagrams.lost};
}

IntervalCounts IntervalCounts::since(const IntervalCounts& before) const noexcept {
  return {.echoes = echoes - before.echoes,
          .bytes_sent = bytes_sent - before.bytes_sent,
          .bytes_received = bytes_received - before.bytes_received,
          .errors = errors - before.errors,
          .lost = lost - before.lost,
          .lost_datagrams = lost_datagrams - before.lost_datagrams};
}

void IntervalCounts::add(const IntervalCounts& other) noexcept {
  echoes += other.echoes;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  errors += other.errors;
  lost += other.lost;
  lost_datagrams += other.lost_datagrams;
}

void Series::add(std::size_t worker, std::size_t number, const IntervalTally& tally, bool has_ended,
                 std::chrono::nanoseconds window) {
  const std::size_t index = number - intervals_.size();
  unfinished_.resize(std::max(unfinished_.size(), index + 1));
  unfinished_[index].counts.add(tally.counts);
  unfinished_[index].latency.add(tally.latency);
  finished_[worker] = has_ended ? SIZE_MAX : number + 1;
  while (!unfinished_.empty() && intervals_.size() < *std::ranges::min_element(finished_)) {
    finish_first(window);
  }
}

void Series::finish_first(std::chrono::nanoseconds window) {
  const IntervalTally& tally = unfinished_.front();
  const auto begin = length_ * static_cast<std::int64_t>(intervals_.size());
  intervals_.push_back({.begin = begin,
                        .length = std::clamp(window - begin, std::chrono::nanoseconds(0), length_),
                        .counts = tally.counts,
                        .latencies = tally.latency.count(),
                        .p50 = tally.latency.known_percentile(50),
                        .p99 = tally.latency.known_percentile(99),
                        .max = tally.latency.max()});
  unfinished_.pop_front();
  if (on_interval_) {
    on_interval_(intervals_.back());
  }
}

}  // namespace echod::client
