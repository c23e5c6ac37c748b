// The measuring window divided into intervals of equal length, with counts for each. The sum of the
// intervals is the whole run: the first includes the errors before the window, the last what came
// after it.
// Thread-safety: none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "client/load/tally.hpp"
#include "client/measure/histogram.hpp"

namespace echod::client {

struct IntervalCounts {
  std::uint64_t echoes = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t errors = 0;
  std::uint64_t lost = 0;            // Connections.
  std::uint64_t lost_datagrams = 0;  // UDP; counted when they are given up.

  [[nodiscard]] static IntervalCounts of(const Tally& tally) noexcept;
  [[nodiscard]] IntervalCounts since(const IntervalCounts& before) const noexcept;
  void add(const IntervalCounts& other) noexcept;
  bool operator==(const IntervalCounts&) const noexcept = default;
};

// The counts of one interval, of one worker or of all.
struct IntervalTally {
  IntervalCounts counts;
  Histogram latency;  // Echoes that arrived, or failed, in the interval.
};

struct Interval {
  std::chrono::nanoseconds begin{0};  // Since the window began.
  std::chrono::nanoseconds length{0};
  IntervalCounts counts;
  std::uint64_t latencies = 0;
  std::optional<std::chrono::nanoseconds> p50;  // Empty if there are too few latencies.
  std::optional<std::chrono::nanoseconds> p99;
  std::chrono::nanoseconds max{0};
};

class Series {
 public:
  // Calls `on_interval` with each interval when all workers have finished it. It may be empty.
  Series(std::chrono::nanoseconds length, std::size_t workers,
         std::function<void(const Interval&)> on_interval)
      : length_(length), on_interval_(std::move(on_interval)), finished_(workers) {}

  // Adds what a worker counted in interval `number`, counted from 0. The worker has finished this
  // interval and all before it, or all intervals if it `has_ended`. `window` is the length of the
  // window as known so far.
  void add(std::size_t worker, std::size_t number, const IntervalTally& tally, bool has_ended,
           std::chrono::nanoseconds window);
  // The intervals that all workers have finished.
  [[nodiscard]] const std::vector<Interval>& intervals() const noexcept { return intervals_; }

 private:
  void finish_first(std::chrono::nanoseconds window);

  std::chrono::nanoseconds length_;
  std::function<void(const Interval&)> on_interval_;
  std::vector<std::size_t> finished_;  // How many intervals each worker has finished.
  std::vector<Interval> intervals_;
  std::deque<IntervalTally> unfinished_;  // The intervals after `intervals_`.
};

}  // namespace echod::client
