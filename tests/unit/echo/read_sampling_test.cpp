#include "echo/read_sampling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace echod::test {
namespace {

constexpr std::uint32_t kInterval = 64;

ReadSampling sampling_of(std::uint32_t interval) {
  ReadSampling sampling;
  sampling.set_interval(interval);
  return sampling;
}

int taken(ReadSampling& sampling, int reads) {
  int count = 0;
  for (int i = 0; i < reads; ++i) {
    count += sampling.takes_next() ? 1 : 0;
  }
  return count;
}

TEST(ReadSamplingTest, TakesOneReadInTheIntervalOnAverage) {
  constexpr int kSamples = 10'000;
  ReadSampling sampling = sampling_of(kInterval);
  EXPECT_NEAR(taken(sampling, kSamples * kInterval), kSamples, 0.02 * kSamples);
}

TEST(ReadSamplingTest, TwoSamplesAreLessThanTwoIntervalsApart) {
  ReadSampling sampling = sampling_of(kInterval);
  int last = 0;
  int longest = 0;
  int shortest = 1000;
  for (int read = 1; read < 100'000; ++read) {
    if (sampling.takes_next()) {
      longest = std::max(longest, read - last);
      shortest = std::min(shortest, read - last);
      last = read;
    }
  }
  EXPECT_EQ(longest, 127);
  EXPECT_EQ(shortest, 1);
}

TEST(ReadSamplingTest, ConnectionsThatTakeTurnsInAFixedOrderAreTimedEquallyOften) {
  for (const std::size_t connections : {2U, 16U, 64U, 128U}) {
    constexpr int kSamplesOfEach = 1000;
    ReadSampling sampling = sampling_of(kInterval);
    std::array<int, 128> samples{};
    for (std::size_t read = 0; read < connections * kSamplesOfEach * kInterval; ++read) {
      samples.at(read % connections) += sampling.takes_next() ? 1 : 0;
    }
    for (std::size_t i = 0; i < connections; ++i) {
      EXPECT_NEAR(samples.at(i), kSamplesOfEach, 0.2 * kSamplesOfEach)
          << "connection " << i << " of " << connections;
    }
  }
}

TEST(ReadSamplingTest, AnIntervalOfOneTakesEveryRead) {
  ReadSampling sampling = sampling_of(1);
  EXPECT_EQ(taken(sampling, 1000), 1000);
}

TEST(ReadSamplingTest, AnIntervalOfZeroTakesNone) {
  ReadSampling sampling = sampling_of(0);
  EXPECT_EQ(taken(sampling, 100'000), 0);
}

TEST(ReadSamplingTest, ANewIntervalHoldsAtOnce) {
  ReadSampling sampling = sampling_of(0);
  sampling.set_interval(1);
  EXPECT_EQ(taken(sampling, 10), 10);
  sampling.set_interval(0);
  EXPECT_EQ(taken(sampling, 1000), 0);
}

}  // namespace
}  // namespace echod::test
