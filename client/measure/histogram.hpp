// Durations, counted in buckets whose width grows with the value: any percentile of any number of
// samples, in fixed memory, to a relative error of kRelativeError.
//
// Values below 2048 ns have a bucket each. Above, every power of two is divided into 1024 buckets,
// so a bucket is never wider than 1/1024 of its values. What is reported for a bucket is its
// highest value, or the highest measured if that is less: never less than was measured, as
// HdrHistogram does.
//
// It takes some 270 KB, from the first sample on: an empty one costs nothing to copy.
//
// Thread-safety: none. Only the first sample allocates; memory that is missing ends the process
// (client/main.cpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace echod::client {

class Histogram {
 public:
  using Nanoseconds = std::chrono::nanoseconds;

  static constexpr double kRelativeError = 1.0 / 1024;
  // Longer ones are counted as this one, a bit over an hour.
  static constexpr Nanoseconds kLongest{(std::int64_t{1} << 42) - 1};

  // Negative values count as 0.
  void record(Nanoseconds value) noexcept { record(value, 1); }
  void record(Nanoseconds value, std::uint64_t times) noexcept;
  void add(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // Exact, but no more than kLongest. 0 when there are no samples, like all that follow.
  [[nodiscard]] Nanoseconds min() const noexcept { return count_ == 0 ? Nanoseconds(0) : min_; }
  [[nodiscard]] Nanoseconds max() const noexcept { return max_; }
  [[nodiscard]] double mean_ns() const noexcept;
  [[nodiscard]] double standard_deviation_ns() const noexcept;
  // The smallest value that at least `percent` of the samples do not exceed.
  [[nodiscard]] Nanoseconds percentile(double percent) const noexcept;
  // The same, if there are samples enough to tell it: 1/(1 - percent/100) of them, which is 100 for
  // the 99th percentile and one for the 100th.
  [[nodiscard]] std::optional<Nanoseconds> known_percentile(double percent) const noexcept;
  [[nodiscard]] static std::uint64_t samples_for(double percent) noexcept;
  // All that a histogram knows but for its ends: of each bucket that is not empty the highest value
  // and the count, in ascending order.
  using Buckets = std::vector<std::pair<Nanoseconds, std::uint64_t>>;
  [[nodiscard]] Buckets buckets() const;
  // The histogram that has these; nothing if none can have them.
  [[nodiscard]] static std::optional<Histogram> from(const Buckets& buckets, Nanoseconds min,
                                                     Nanoseconds max);
  // How many samples are at most `value`, to the width of its bucket.
  [[nodiscard]] std::uint64_t count_up_to(Nanoseconds value) const noexcept;

 private:
  void make_buckets() noexcept;
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) noexcept;
  [[nodiscard]] static std::uint64_t highest_in(std::size_t bucket) noexcept;
  // What is reported for a bucket.
  [[nodiscard]] Nanoseconds value_of(std::size_t bucket) const noexcept;

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  Nanoseconds min_ = kLongest;
  Nanoseconds max_{0};
};

}  // namespace echod::client
