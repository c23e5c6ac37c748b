// A histogram of durations. Gives any percentile of any number of samples, in fixed memory, with
// a relative error of at most kRelativeError.
//
// Values below 2048 ns have a bucket each. Above that, each power of two is divided into 1024
// buckets, so a bucket is at most 1/1024 of its values wide. A bucket is reported as its highest
// value, or as the maximum measured if that is lower. So reported values are never too low, as in
// HdrHistogram.
//
// The first sample allocates about 270 KB. An empty histogram is cheap to copy.
//
// Thread-safety: none. Running out of memory ends the process (client/main.cpp).
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
  // Longer durations are counted as this one, about 73 minutes.
  static constexpr Nanoseconds kLongest{(std::int64_t{1} << 42) - 1};

  // Negative values count as 0.
  void record(Nanoseconds value) noexcept { record(value, 1); }
  void record(Nanoseconds value, std::uint64_t times) noexcept;
  void add(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  // min(), max(), mean_ns(), standard_deviation_ns() and percentile() return 0 if there are no
  // samples. min() and max() are exact, up to kLongest.
  [[nodiscard]] Nanoseconds min() const noexcept { return count_ == 0 ? Nanoseconds(0) : min_; }
  [[nodiscard]] Nanoseconds max() const noexcept { return max_; }
  [[nodiscard]] double mean_ns() const noexcept;
  [[nodiscard]] double standard_deviation_ns() const noexcept;
  // The smallest value that at least `percent` % of the samples do not exceed.
  [[nodiscard]] Nanoseconds percentile(double percent) const noexcept;
  // Like percentile(), but empty if there are fewer than samples_for(percent) samples.
  [[nodiscard]] std::optional<Nanoseconds> known_percentile(double percent) const noexcept;
  // How many samples a percentile needs: 1/(1 - percent/100), and 1 for 100 %.
  [[nodiscard]] static std::uint64_t samples_for(double percent) noexcept;
  // The highest value and the count of each bucket that is not empty, in ascending order. Together
  // with min() and max() this is the whole histogram.
  using Buckets = std::vector<std::pair<Nanoseconds, std::uint64_t>>;
  [[nodiscard]] Buckets buckets() const;
  // The histogram with these buckets, min() and max(). Empty if no histogram can have them.
  [[nodiscard]] static std::optional<Histogram> from(const Buckets& buckets, Nanoseconds min,
                                                     Nanoseconds max);
  // Counts the samples in the bucket of `value` and in all lower buckets.
  [[nodiscard]] std::uint64_t count_up_to(Nanoseconds value) const noexcept;

 private:
  void make_buckets() noexcept;
  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) noexcept;
  [[nodiscard]] static std::uint64_t highest_in(std::size_t bucket) noexcept;
  // The value reported for a bucket.
  [[nodiscard]] Nanoseconds value_of(std::size_t bucket) const noexcept;

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  Nanoseconds min_ = kLongest;
  Nanoseconds max_{0};
};

}  // namespace echod::client
