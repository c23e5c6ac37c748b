#include "client/measure/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace echod::client {

namespace {

constexpr int kFineBits = 10;  // 1024 buckets for each power of two.
constexpr std::uint64_t kFine = std::uint64_t{1} << kFineBits;
constexpr auto kLongestValue = static_cast<std::uint64_t>(Histogram::kLongest.count());

}  // namespace

// The bucket is shift * kFine plus the value's leading kFineBits + 1 bits, where `shift` is the
// number of bits dropped. If shift > 0, the first leading bit is always set and so adds kFine.
std::size_t Histogram::bucket_of(std::uint64_t value) noexcept {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kFineBits + 1));
  return static_cast<std::size_t>(shift) * kFine + (value >> shift);
}

std::uint64_t Histogram::highest_in(std::size_t bucket) noexcept {
  if (bucket < 2 * kFine) {
    return bucket;
  }
  const std::size_t shift = bucket / kFine - 1;
  return ((bucket - shift * kFine + 1) << shift) - 1;
}

Histogram::Nanoseconds Histogram::value_of(std::size_t bucket) const noexcept {
  return std::min(max_, Nanoseconds(static_cast<std::int64_t>(highest_in(bucket))));
}

void Histogram::make_buckets() noexcept {
  if (buckets_.empty()) {
    buckets_.resize(bucket_of(kLongestValue) + 1);
  }
}

void Histogram::record(Nanoseconds value, std::uint64_t times) noexcept {
  make_buckets();
  value = std::clamp(value, Nanoseconds(0), kLongest);
  buckets_[bucket_of(static_cast<std::uint64_t>(value.count()))] += times;
  count_ += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) noexcept {
  if (other.count_ == 0) {
    return;
  }
  make_buckets();
  std::transform(buckets_.begin(), buckets_.end(), other.buckets_.begin(), buckets_.begin(),
                 std::plus<>());
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::mean_ns() const noexcept {
  double sum = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    sum += static_cast<double>(buckets_[bucket]) * static_cast<double>(value_of(bucket).count());
  }
  return count_ == 0 ? 0 : sum / static_cast<double>(count_);
}

double Histogram::standard_deviation_ns() const noexcept {
  const double mean = mean_ns();
  double sum = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    const double away = static_cast<double>(value_of(bucket).count()) - mean;
    sum += static_cast<double>(buckets_[bucket]) * away * away;
  }
  return count_ == 0 ? 0 : std::sqrt(sum / static_cast<double>(count_));
}

Histogram::Nanoseconds Histogram::percentile(double percent) const noexcept {
  constexpr double kAll = 100;
  const double share = std::clamp(percent, 0.0, kAll) / kAll;
  // In binary, 99.9 % of 1000 is slightly above 999 and must not be rounded up to 1000.
  constexpr double kRounding = 8 * std::numeric_limits<double>::epsilon();
  const double exact = share * static_cast<double>(count_) * (1 - kRounding);
  const auto wanted = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::ceil(exact)), 1,
                                                std::max<std::uint64_t>(1, count_));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) {
      return value_of(bucket);
    }
  }
  return Nanoseconds(0);
}

std::optional<Histogram::Nanoseconds> Histogram::known_percentile(double percent) const noexcept {
  return count_ >= samples_for(percent) ? std::optional(percentile(percent)) : std::nullopt;
}

std::uint64_t Histogram::samples_for(double percent) noexcept {
  constexpr double kAll = 100;
  if (percent >= kAll) {
    return 1;
  }
  constexpr double kRounding = 1e-9;  // In binary, 100 - 99.9 is slightly below 0.1.
  return static_cast<std::uint64_t>(std::ceil(kAll / (kAll - percent) * (1 - kRounding)));
}

Histogram::Buckets Histogram::buckets() const {
  Buckets full;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    if (buckets_[bucket] > 0) {
      full.emplace_back(highest_in(bucket), buckets_[bucket]);
    }
  }
  return full;
}

std::optional<Histogram> Histogram::from(const Buckets& buckets, Nanoseconds min, Nanoseconds max) {
  Histogram histogram;
  const auto bucket_at = [](Nanoseconds value) {
    return bucket_of(static_cast<std::uint64_t>(value.count()));
  };
  for (const auto& [highest, count] : buckets) {
    const bool is_bucket = highest >= Nanoseconds(0) && highest <= kLongest &&
                           Nanoseconds(highest_in(bucket_at(highest))) == highest;
    if (!is_bucket || count == 0) {
      return std::nullopt;
    }
    histogram.record(highest, count);
  }
  if (histogram.count() == 0) {
    return histogram;
  }
  const bool are_ends = min >= Nanoseconds(0) && min <= max && max <= kLongest &&
                        bucket_at(min) == bucket_at(histogram.min_) &&
                        bucket_at(max) == bucket_at(histogram.max_);
  histogram.min_ = min;
  histogram.max_ = max;
  return are_ends ? std::optional(histogram) : std::nullopt;
}

std::uint64_t Histogram::count_up_to(Nanoseconds value) const noexcept {
  const auto clamped = std::clamp(value, Nanoseconds(0), kLongest).count();
  std::uint64_t seen = 0;
  const std::size_t end =
      std::min(buckets_.size(), bucket_of(static_cast<std::uint64_t>(clamped)) + 1);
  for (std::size_t bucket = 0; bucket < end; ++bucket) {
    seen += buckets_[bucket];
  }
  return seen;
}

}  // namespace echod::client
