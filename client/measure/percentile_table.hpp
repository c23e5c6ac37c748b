// Prints a histogram as a percentile table in the format of HdrHistogram ("hgrm" files, written by
// its outputPercentileDistribution()), which common plotters read.
// Thread-safety: stateless functions.
#pragma once

#include <string>

#include "client/measure/histogram.hpp"

namespace echod::client {

// Values are in milliseconds with six decimals. Each time the distance to 100 % halves, the step
// between percentiles halves too: there are five steps per half.
[[nodiscard]] std::string percentile_table(const Histogram& histogram);

}  // namespace echod::client
