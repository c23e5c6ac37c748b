// Estimates from the counts of a DelayHistogram.
//
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <optional>

#include "telemetry/delay_histogram.hpp"

namespace echod {

[[nodiscard]] std::uint64_t count_of(const DelayHistogram::Values& values) noexcept;

// What was counted in `now` but not yet in `before`. No count is below 0.
[[nodiscard]] DelayHistogram::Values growth(const DelayHistogram::Values& now,
                                            const DelayHistogram::Values& before) noexcept;

// Estimates the `quantile` (0 to 1) of the delays, in seconds. Assumes that the delays of a range
// are spread evenly over it, as histogram_quantile() of Prometheus does. In the range without a
// bound it is the largest bound. Empty if nothing was counted.
[[nodiscard]] std::optional<double> estimated_delay_s(const DelayHistogram::Values& values,
                                                      double quantile) noexcept;

}  // namespace echod
