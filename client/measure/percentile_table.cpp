#include "client/measure/percentile_table.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace echod::client {

namespace {

constexpr double kAll = 100;
constexpr double kNanosPerMilli = 1e6;
constexpr double kTicksPerHalfDistance = 5;

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 160> line{};
  (void)std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

double millis(double nanos) {
  return nanos / kNanosPerMilli;
}

std::string row(const Histogram& histogram, double percent) {
  const Histogram::Nanoseconds value = histogram.percentile(percent);
  const double share = percent / kAll;
  const double shown = millis(static_cast<double>(value.count()));
  const auto count = static_cast<unsigned long long>(histogram.count_up_to(value));
  return percent < kAll
             ? formatted("%12.6f %2.12f %10llu %14.2f\n", shown, share, count, 1 / (1 - share))
             : formatted("%12.6f %2.12f %10llu\n", shown, share, count);
}

}  // namespace

std::string percentile_table(const Histogram& histogram) {
  std::string table =
      formatted("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  double percent = 0;
  while (histogram.count() > 0 && histogram.percentile(percent) < histogram.max()) {
    table += row(histogram, percent);
    const double half_distances = std::floor(std::log2(kAll / (kAll - percent))) + 1;
    percent += kAll / (kTicksPerHalfDistance * std::pow(2, half_distances));
  }
  if (histogram.count() > 0) {
    table += row(histogram, kAll);
  }
  constexpr unsigned kBuckets = 32;
  constexpr unsigned kSubBuckets = 2048;
  table += formatted("#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", millis(histogram.mean_ns()),
                     millis(histogram.standard_deviation_ns()));
  table += formatted("#[Max     = %12.6f, Total count    = %12llu]\n",
                     millis(static_cast<double>(histogram.max().count())),
                     static_cast<unsigned long long>(histogram.count()));
  return table + formatted("#[Buckets = %12u, SubBuckets     = %12u]\n", kBuckets, kSubBuckets);
}

}  // namespace echod::client
