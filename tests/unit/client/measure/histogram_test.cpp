#include "client/measure/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "allocations.hpp"
#include "deadline.hpp"
#include "seed.hpp"

namespace echod::client {
namespace {

using std::chrono::nanoseconds;

using Samples = std::vector<std::int64_t>;

Histogram histogram_of(const Samples& samples) {
  Histogram histogram;
  for (const std::int64_t sample : samples) {
    histogram.record(nanoseconds(sample));
  }
  return histogram;
}

// Percentiles in thousandths of a percent, so that the exact ones need no floating point.
constexpr int kThousandths = 1000;
constexpr std::array kPercentiles{0,      1,      10'000, 50'000, 55'000, 75'000,
                                  90'000, 99'000, 99'900, 99'990, 99'999, 100'000};

// The smallest sample that at least `thousandths` of the sorted samples do not exceed.
std::int64_t exact_percentile(const Samples& sorted, int thousandths) {
  constexpr std::size_t kAll = 100 * kThousandths;
  const std::size_t wanted =
      (sorted.size() * static_cast<std::size_t>(thousandths) + kAll - 1) / kAll;
  return sorted[std::max<std::size_t>(1, wanted) - 1];
}

// The promise: never too low, too high by at most kRelativeError, exact below 2048 ns, and min and
// max always exact.
void expect_percentiles(const Samples& samples) {
  Samples sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const Histogram histogram = histogram_of(samples);
  ASSERT_EQ(histogram.count(), samples.size());
  EXPECT_EQ(histogram.min().count(), sorted.front());
  EXPECT_EQ(histogram.max().count(), sorted.back());
  EXPECT_EQ(histogram.percentile(100).count(), sorted.back());
  for (const int thousandths : kPercentiles) {
    const std::int64_t exact = exact_percentile(sorted, thousandths);
    const std::int64_t found =
        histogram.percentile(static_cast<double>(thousandths) / kThousandths).count();
    EXPECT_GE(found, exact) << thousandths << " of " << samples.size();
    EXPECT_LE(static_cast<double>(found - exact),
              static_cast<double>(exact) * Histogram::kRelativeError)
        << thousandths << " of " << samples.size();
    if (exact < 2048) {
      EXPECT_EQ(found, exact) << thousandths << " of " << samples.size();
    }
  }
}

// Counts that are prone to rounding errors, and many others.
constexpr std::array<std::size_t, 13> kCounts{1,   2,   3,    7,    10,     99,     100,
                                              101, 999, 1000, 1001, 10'000, 100'000};

template <typename Distribution>
void expect_percentiles_of(Distribution distribution) {
  std::mt19937_64 random(test::announce_seed());
  for (const std::size_t count : kCounts) {
    Samples samples(count);
    std::generate(samples.begin(), samples.end(), [&] {
      const auto value = static_cast<double>(distribution(random));
      return static_cast<std::int64_t>(
          std::min(value, static_cast<double>(Histogram::kLongest.count())));
    });
    expect_percentiles(samples);
  }
}

TEST(HistogramTest, PercentilesOfUniformTimesAreWithinTheStatedError) {
  expect_percentiles_of(std::uniform_int_distribution<std::int64_t>(0, 10'000'000'000));
}

TEST(HistogramTest, PercentilesOfTimesOfAnyMagnitudeAreWithinTheStatedError) {
  std::uniform_real_distribution<double> exponent(0, 42);
  expect_percentiles_of([&](auto& random) { return std::exp2(exponent(random)); });
}

TEST(HistogramTest, PercentilesOfLogNormalTimesAreWithinTheStatedError) {
  expect_percentiles_of(std::lognormal_distribution<double>(11, 1.5));
}

TEST(HistogramTest, PercentilesOfAHeavyTailAreWithinTheStatedError) {
  std::uniform_real_distribution<double> uniform(1e-12, 1);
  expect_percentiles_of([&](auto& random) { return 20'000 * std::pow(uniform(random), -0.9); });
}

TEST(HistogramTest, PercentilesOfConstantTimesAreThatTime) {
  for (const std::int64_t value : {0, 1, 2047, 2048, 2049, 5000, 123'456'789}) {
    const Histogram histogram = histogram_of(Samples(1000, value));
    for (const int thousandths : kPercentiles) {
      EXPECT_EQ(histogram.percentile(static_cast<double>(thousandths) / kThousandths).count(),
                value);
    }
    EXPECT_DOUBLE_EQ(histogram.mean_ns(), static_cast<double>(value));
    EXPECT_DOUBLE_EQ(histogram.standard_deviation_ns(), 0);
  }
}

TEST(HistogramTest, APercentileThatFallsOnASampleIsThatSampleAndNotTheNext) {
  for (std::int64_t count = 1; count <= 1000; count += test::kSanitized ? 13 : 1) {
    Samples samples(static_cast<std::size_t>(count));
    std::iota(samples.begin(), samples.end(), 1);
    const Histogram histogram = histogram_of(samples);
    for (int percent = 1; percent <= 100; ++percent) {
      ASSERT_EQ(histogram.percentile(percent).count(),
                exact_percentile(samples, percent * kThousandths))
          << percent << " % of " << count;
    }
    for (int tenths = 900; tenths <= 1000; ++tenths) {
      ASSERT_EQ(histogram.percentile(tenths / 10.0).count(),
                exact_percentile(samples, tenths * kThousandths / 10))
          << tenths << " tenths of a percent of " << count;
    }
  }
}

TEST(HistogramTest, APercentileOutOfRangeIsTheNearestOne) {
  const Histogram histogram = histogram_of({10, 20, 30});
  EXPECT_EQ(histogram.percentile(-1).count(), 10);
  EXPECT_EQ(histogram.percentile(101).count(), 30);
}

TEST(HistogramTest, EveryEndOfABucketIsItsOwnHighestValue) {
  // Around each power of two, where the width of the buckets changes.
  for (int bits = 0; bits < 42; ++bits) {
    const std::int64_t power = std::int64_t{1} << bits;
    for (const std::int64_t value : {power - 1, power, power + 1}) {
      Histogram histogram;
      histogram.record(nanoseconds(value));
      histogram.record(Histogram::kLongest);
      const std::int64_t found = histogram.percentile(50).count();
      EXPECT_GE(found, value);
      EXPECT_LE(found - value, value / 1024) << value;
    }
  }
}

TEST(HistogramTest, TimesOutOfRangeCountAsTheNearestInRange) {
  Histogram histogram;
  histogram.record(nanoseconds(-1));
  histogram.record(nanoseconds::min());
  EXPECT_EQ(histogram.max().count(), 0);
  histogram.record(Histogram::kLongest + nanoseconds(1));
  histogram.record(nanoseconds::max());
  EXPECT_EQ(histogram.count(), 4U);
  EXPECT_EQ(histogram.min().count(), 0);
  EXPECT_EQ(histogram.max(), Histogram::kLongest);
  EXPECT_EQ(histogram.percentile(50).count(), 0);
  EXPECT_EQ(histogram.percentile(75), Histogram::kLongest);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(-1)), 2U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds::max()), 4U);
}

TEST(HistogramTest, ATimeRecordedManyTimesIsTheSameAsManyRecordings) {
  Histogram at_once;
  at_once.record(nanoseconds(5000), 1000);
  at_once.record(nanoseconds(70), 3);
  Samples samples(1000, 5000);
  samples.insert(samples.end(), 3, 70);
  const Histogram one_by_one = histogram_of(samples);
  EXPECT_EQ(at_once.count(), one_by_one.count());
  EXPECT_EQ(at_once.min(), one_by_one.min());
  EXPECT_EQ(at_once.max(), one_by_one.max());
  EXPECT_EQ(at_once.mean_ns(), one_by_one.mean_ns());
  for (const int thousandths : kPercentiles) {
    const double percent = static_cast<double>(thousandths) / kThousandths;
    EXPECT_EQ(at_once.percentile(percent), one_by_one.percentile(percent));
  }
}

TEST(HistogramTest, AddingTwoEqualsRecordingAllInOne) {
  std::mt19937_64 random(test::announce_seed());
  std::lognormal_distribution<double> distribution(11, 2);
  Histogram parts[3];
  Histogram all;
  for (int i = 0; i < 10'000; ++i) {
    const nanoseconds value(static_cast<std::int64_t>(distribution(random)));
    parts[random() % 3].record(value);
    all.record(value);
  }
  Histogram sum;
  for (const Histogram& part : parts) {
    sum.add(part);
  }
  sum.add(Histogram());
  EXPECT_EQ(sum.count(), all.count());
  EXPECT_EQ(sum.min(), all.min());
  EXPECT_EQ(sum.max(), all.max());
  EXPECT_DOUBLE_EQ(sum.mean_ns(), all.mean_ns());
  EXPECT_DOUBLE_EQ(sum.standard_deviation_ns(), all.standard_deviation_ns());
  for (double percent = 0; percent <= 100; percent += 0.5) {
    ASSERT_EQ(sum.percentile(percent), all.percentile(percent)) << percent;
  }
}

TEST(HistogramTest, BucketsMinAndMaxRestoreAHistogram) {
  std::mt19937_64 random(test::announce_seed());
  for (const int samples : {0, 1, 2, 1000}) {
    Histogram histogram;
    for (int i = 0; i < samples; ++i) {
      histogram.record(nanoseconds(static_cast<std::int64_t>(random() >> (random() % 64))));
    }
    const Histogram::Buckets buckets = histogram.buckets();
    EXPECT_TRUE(std::is_sorted(buckets.begin(), buckets.end()));
    const auto again = Histogram::from(buckets, histogram.min(), histogram.max());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->buckets(), buckets);
    EXPECT_EQ(again->count(), histogram.count());
    EXPECT_EQ(again->min(), histogram.min());
    EXPECT_EQ(again->max(), histogram.max());
    EXPECT_EQ(again->mean_ns(), histogram.mean_ns());
    EXPECT_EQ(again->standard_deviation_ns(), histogram.standard_deviation_ns());
  }
}

TEST(HistogramTest, ImpossibleBucketsAreRefused) {
  const auto can_be = [](const Histogram::Buckets& buckets, int min, int max) {
    return Histogram::from(buckets, nanoseconds(min), nanoseconds(max)).has_value();
  };
  EXPECT_TRUE(can_be({{nanoseconds(2049), 1}}, 2048, 2049));
  EXPECT_FALSE(can_be({{nanoseconds(2048), 1}}, 2048, 2048)) << "its bucket goes up to 2049";
  EXPECT_FALSE(can_be({{nanoseconds(2049), 0}}, 2048, 2049)) << "an empty bucket is left out";
  EXPECT_FALSE(can_be({{nanoseconds(2049), 1}}, 2049, 2048));
  EXPECT_FALSE(can_be({{nanoseconds(2049), 1}}, 2047, 2049)) << "of another bucket";
  EXPECT_FALSE(can_be({{nanoseconds(2049), 1}}, 2048, 2050));
  EXPECT_FALSE(can_be({{nanoseconds(-1), 1}}, 0, 0));
  EXPECT_FALSE(can_be({{nanoseconds::max(), 1}}, 0, 0));
}

TEST(HistogramTest, MeanAndDeviationAreWithinTheStatedErrorAndTheMeanBetweenTheEnds) {
  std::mt19937_64 random(test::announce_seed());
  std::lognormal_distribution<double> distribution(11, 1);
  Samples samples(10'000);
  std::generate(samples.begin(), samples.end(),
                [&] { return static_cast<std::int64_t>(distribution(random)); });
  const Histogram histogram = histogram_of(samples);
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / 10'000;
  double squares = 0;
  for (const std::int64_t sample : samples) {
    squares += (static_cast<double>(sample) - mean) * (static_cast<double>(sample) - mean);
  }
  EXPECT_NEAR(histogram.mean_ns(), mean, mean * Histogram::kRelativeError);
  const double deviation = std::sqrt(squares / 10'000);
  EXPECT_NEAR(histogram.standard_deviation_ns(), deviation,
              (mean + deviation) * Histogram::kRelativeError);

  Histogram two;
  two.record(nanoseconds(123'457));
  EXPECT_EQ(two.mean_ns(), 123'457);
  two.record(nanoseconds(123'458));
  EXPECT_LE(two.mean_ns(), 123'458);
  EXPECT_GE(two.mean_ns(), 123'457);
}

TEST(HistogramTest, CountsSamplesUpToAValue) {
  const Histogram histogram = histogram_of({0, 1, 1, 2, 2047, 1'000'000, 2'000'000});
  EXPECT_EQ(histogram.count_up_to(nanoseconds(0)), 1U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(1)), 3U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(2046)), 4U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(2047)), 5U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(1'500'000)), 6U);
  EXPECT_EQ(histogram.count_up_to(nanoseconds(2'000'000)), 7U);
}

TEST(HistogramTest, WithoutSamplesEverythingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min().count(), 0);
  EXPECT_EQ(histogram.max().count(), 0);
  EXPECT_EQ(histogram.mean_ns(), 0);
  EXPECT_EQ(histogram.standard_deviation_ns(), 0);
  EXPECT_EQ(histogram.percentile(50).count(), 0);
  EXPECT_EQ(histogram.count_up_to(Histogram::kLongest), 0U);
}

TEST(HistogramTest, OnlyTheFirstSampleAllocates) {
  std::mt19937_64 random(test::announce_seed());
  const Histogram other = histogram_of({1, 1'000'000});
  const std::uint64_t before_any = test::allocations();
  Histogram histogram;
  histogram.add(Histogram());
  EXPECT_EQ(test::allocations(), before_any);
  histogram.record(nanoseconds(1));
  const std::uint64_t before = test::allocations();
  for (int i = 0; i < 100'000; ++i) {
    histogram.record(nanoseconds(static_cast<std::int64_t>(random() >> (random() % 64))));
  }
  histogram.record(nanoseconds::max());
  histogram.add(other);
  EXPECT_EQ(test::allocations(), before);
  EXPECT_EQ(histogram.count(), 100'004U);
}

}  // namespace
}  // namespace echod::client
