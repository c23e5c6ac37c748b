// A histogram as the percentile table of HdrHistogram, which the usual plotters read (its
// outputPercentileDistribution(), "hgrm" files).
// Thread-safety: functions without state.
#pragma once

#include <string>

#include "client/measure/histogram.hpp"

namespace echod::client {

// Values in milliseconds with six decimals, which is to the nanosecond. The steps between
// percentiles halve as the distance to 100 % halves, five steps for each half.
[[nodiscard]] std::string percentile_table(const Histogram& histogram);

}  // namespace echod::client
