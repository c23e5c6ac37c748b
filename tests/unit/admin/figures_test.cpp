#include "admin/figures.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace echod::test {
namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();

TEST(FiguresTest, TotalsAreExactUpToTenMillion) {
  EXPECT_EQ(total_text(9'999'999), "9 999 999");
  EXPECT_EQ(total_text(10'000'000), "10 M");
  EXPECT_EQ(total_text(12'345'678), "12.3 M");
  EXPECT_EQ(total_text(999'999'999), "1 G");
  EXPECT_EQ(total_text(6'240'000'000), "6.24 G");
  EXPECT_EQ(total_text(kMost), "18.4 E");
}

TEST(FiguresTest, SizesHaveASuitableUnit) {
  EXPECT_EQ(size_text(0), "0 B");
  EXPECT_EQ(size_text(1024 * 1024 - 1), "1 MiB");
  EXPECT_EQ(size_text(1000), "1000 B");
  EXPECT_EQ(size_text(64 * 1024), "64 KiB");
  EXPECT_EQ(size_text(1536 * 1024), "1.5 MiB");
  EXPECT_EQ(size_text(kMost), "16384 PiB");
}

TEST(FiguresTest, FiguresHaveThreeDigitsOrAreWhole) {
  EXPECT_EQ(figure_text(0), "0");
  EXPECT_EQ(figure_text(0.333), "0.33");
  EXPECT_EQ(figure_text(12.54), "12.5");
  EXPECT_EQ(figure_text(99.97), "100");
  EXPECT_EQ(figure_text(12'345.6), "12 346");
  EXPECT_EQ(throughput_text(410e6), "410 MB/s");
  EXPECT_EQ(throughput_text(305'000), "0.3 MB/s");
}

TEST(FiguresTest, FiguresThatNoIntegerHoldsAreWritten) {
  EXPECT_EQ(figure_text(1e20), "100000000000000000000");
  EXPECT_EQ(figure_text(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(figure_text(std::numeric_limits<double>::max()).size(), 309U);
}

TEST(FiguresTest, DelaysHaveASuitableUnit) {
  EXPECT_EQ(delay_text(0), "0 us");
  EXPECT_EQ(delay_text(31.4e-6), "31.4 us");
  EXPECT_EQ(delay_text(3.2e-3), "3.2 ms");
  EXPECT_EQ(delay_text(0.9999), "1 s");
  EXPECT_EQ(delay_text(75), "75 s");
}

TEST(FiguresTest, AgesHaveTheTwoLargestUnits) {
  EXPECT_EQ(age_text(-1), "0 s");
  EXPECT_EQ(age_text(42.9), "42 s");
  EXPECT_EQ(age_text(60), "1 min");
  EXPECT_EQ(age_text(312), "5 min 12 s");
  EXPECT_EQ(age_text(3600 + 59), "1 h");
  EXPECT_EQ(age_text(3 * 86'400 + 4 * 3600 + 59 * 60), "3 d 4 h");
  EXPECT_EQ(age_text(std::numeric_limits<double>::quiet_NaN()), "0 s");
  EXPECT_EQ(age_text(1e300), "11574074074 d 1 h");
}

TEST(FiguresTest, TimesAreUtc) {
  EXPECT_EQ(utc_text(1'764'438'130.9), "2025-11-29 17:42:10 UTC");
  EXPECT_EQ(utc_text(0), "1970-01-01 00:00:00 UTC");
  EXPECT_EQ(utc_text(253'402'300'799), "9999-12-31 23:59:59 UTC");
  EXPECT_EQ(utc_text(253'402'300'800), "");
  EXPECT_EQ(utc_text(-1), "");
  EXPECT_EQ(utc_text(std::numeric_limits<double>::quiet_NaN()), "");
}

TEST(FiguresTest, PercentIsAtMostAHundred) {
  EXPECT_EQ(percent(1, 4), 25U);
  EXPECT_EQ(percent(999, 1000), 99U);
  EXPECT_EQ(percent(5, 4), 100U);
  EXPECT_EQ(percent(1, 0), 0U);
  EXPECT_EQ(percent(kMost, kMost), 100U);
}

}  // namespace
}  // namespace echod::test
