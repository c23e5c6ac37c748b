#include "admin/delay_estimate.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <numeric>

namespace echod {

namespace {

constexpr std::size_t kBoundedRanges = DelayHistogram::kBounds.size();

// The upper bound of the range before this one.
double lower_bound_s(std::size_t range) noexcept {
  return range == 0 ? 0 : std::chrono::duration<double>(DelayHistogram::kBounds[range - 1]).count();
}

}  // namespace

std::uint64_t count_of(const DelayHistogram::Values& values) noexcept {
  return std::accumulate(values.counts.begin(), values.counts.end(), std::uint64_t{0});
}

DelayHistogram::Values growth(const DelayHistogram::Values& now,
                              const DelayHistogram::Values& before) noexcept {
  DelayHistogram::Values grown;
  for (std::size_t i = 0; i < now.counts.size(); ++i) {
    grown.counts[i] = now.counts[i] - std::min(now.counts[i], before.counts[i]);
  }
  grown.sum = now.sum - std::min(now.sum, before.sum);
  return grown;
}

std::optional<double> estimated_delay_s(const DelayHistogram::Values& values,
                                        double quantile) noexcept {
  const double rank = quantile * static_cast<double>(count_of(values));
  double below = 0;
  for (std::size_t range = 0; range < kBoundedRanges; ++range) {
    const auto count = static_cast<double>(values.counts[range]);
    if (count > 0 && below + count >= rank) {
      const double lower = lower_bound_s(range);
      return lower + (lower_bound_s(range + 1) - lower) * (rank - below) / count;
    }
    below += count;
  }
  return values.counts[kBoundedRanges] > 0 ? std::optional(lower_bound_s(kBoundedRanges))
                                           : std::nullopt;
}

}  // namespace echod
