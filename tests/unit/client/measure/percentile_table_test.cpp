#include "client/measure/percentile_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "seed.hpp"

namespace echod::client {
namespace {

using std::chrono::nanoseconds;

struct Row {
  double value_ms = 0;
  double share = 0;
  std::uint64_t count = 0;
  double inverse = 0;  // 0 if absent, as in the last row.
};

struct Table {
  std::vector<std::string> header;
  std::vector<Row> rows;
  std::vector<std::string> comments;
};

// Parses like the plotters: columns of words; lines that begin with # are no data.
Table parse_hgrm(const std::string& text) {
  Table table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (line.starts_with("#[")) {
      table.comments.push_back(line);
    } else if (table.header.empty()) {
      for (std::string word; words >> word;) {
        table.header.push_back(word);
      }
    } else if (Row row; words >> row.value_ms >> row.share >> row.count) {
      (void)(words >> row.inverse);
      table.rows.push_back(row);
    } else {
      EXPECT_EQ(line, "");
    }
  }
  return table;
}

TEST(PercentileTableTest, EqualsTheTableOfHdrHistogram) {
  Histogram histogram;
  for (int i = 0; i < 9; ++i) {
    histogram.record(std::chrono::microseconds(1));
  }
  histogram.record(std::chrono::milliseconds(2));
  EXPECT_EQ(percentile_table(histogram),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "    0.001000 0.000000000000          9           1.00\n"
            "    0.001000 0.100000000000          9           1.11\n"
            "    0.001000 0.200000000000          9           1.25\n"
            "    0.001000 0.300000000000          9           1.43\n"
            "    0.001000 0.400000000000          9           1.67\n"
            "    0.001000 0.500000000000          9           2.00\n"
            "    0.001000 0.550000000000          9           2.22\n"
            "    0.001000 0.600000000000          9           2.50\n"
            "    0.001000 0.650000000000          9           2.86\n"
            "    0.001000 0.700000000000          9           3.33\n"
            "    0.001000 0.750000000000          9           4.00\n"
            "    0.001000 0.775000000000          9           4.44\n"
            "    0.001000 0.800000000000          9           5.00\n"
            "    0.001000 0.825000000000          9           5.71\n"
            "    0.001000 0.850000000000          9           6.67\n"
            "    0.001000 0.875000000000          9           8.00\n"
            "    0.001000 0.887500000000          9           8.89\n"
            "    0.001000 0.900000000000          9          10.00\n"
            "    2.000000 1.000000000000         10\n"
            "#[Mean    =     0.200900, StdDeviation   =     0.599700]\n"
            "#[Max     =     2.000000, Total count    =           10]\n"
            "#[Buckets =           32, SubBuckets     =         2048]\n");
}

TEST(PercentileTableTest, RowsRiseUpToAllSamples) {
  std::mt19937_64 random(test::announce_seed());
  std::lognormal_distribution<double> distribution(12, 2);
  Histogram histogram;
  constexpr std::uint64_t kSamples = 100'000;
  for (std::uint64_t i = 0; i < kSamples; ++i) {
    histogram.record(nanoseconds(static_cast<std::int64_t>(distribution(random))));
  }
  const Table table = parse_hgrm(percentile_table(histogram));
  EXPECT_EQ(table.header,
            (std::vector<std::string>{"Value", "Percentile", "TotalCount", "1/(1-Percentile)"}));
  ASSERT_GT(table.rows.size(), 50U);
  EXPECT_EQ(table.rows.front().share, 0);
  for (std::size_t i = 0; i + 1 < table.rows.size(); ++i) {
    const Row& row = table.rows[i];
    const Row& next = table.rows[i + 1];
    EXPECT_LE(row.value_ms, next.value_ms);
    EXPECT_LT(row.share, next.share);
    EXPECT_LE(row.count, next.count);
    EXPECT_GE(static_cast<double>(row.count), row.share * kSamples * (1 - 1e-9));
    // The share is printed with twelve decimals.
    EXPECT_NEAR(1 / row.inverse, 1 - row.share, 0.01 / row.inverse);
  }
  const Row& last = table.rows.back();
  EXPECT_EQ(last.share, 1);
  EXPECT_EQ(last.count, kSamples);
  EXPECT_EQ(last.inverse, 0);
  EXPECT_NEAR(last.value_ms, static_cast<double>(histogram.max().count()) / 1e6, 1e-6);
  ASSERT_EQ(table.comments.size(), 3U);
  EXPECT_NE(table.comments[1].find("Total count    =       100000]"), std::string::npos);
}

TEST(PercentileTableTest, HasTheResolutionOfTheHistogramForShortLatenciesToo) {
  Histogram histogram;
  for (int i = 0; i < 1000; ++i) {
    histogram.record(nanoseconds(20'000 + i));
  }
  const Table table = parse_hgrm(percentile_table(histogram));
  for (const Row& row : table.rows) {
    const auto value = histogram.percentile(100 * row.share);
    EXPECT_NEAR(row.value_ms, static_cast<double>(value.count()) / 1e6, 0.5e-6);
  }
}

TEST(PercentileTableTest, OneSampleGivesOneRow) {
  Histogram histogram;
  histogram.record(std::chrono::milliseconds(3));
  const Table table = parse_hgrm(percentile_table(histogram));
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].value_ms, 3);
  EXPECT_EQ(table.rows[0].share, 1);
  EXPECT_EQ(table.rows[0].count, 1U);
}

TEST(PercentileTableTest, NoSamplesGiveNoRows) {
  EXPECT_EQ(percentile_table({}),
            "       Value     Percentile TotalCount 1/(1-Percentile)\n"
            "\n"
            "#[Mean    =     0.000000, StdDeviation   =     0.000000]\n"
            "#[Max     =     0.000000, Total count    =            0]\n"
            "#[Buckets =           32, SubBuckets     =         2048]\n");
}

TEST(PercentileTableTest, EndsForVeryManySamplesAndTheLongestTimes) {
  Histogram histogram;
  histogram.record(nanoseconds(1), 1'000'000'000'000);
  histogram.record(Histogram::kLongest, 1);
  const Table table = parse_hgrm(percentile_table(histogram));
  EXPECT_EQ(table.rows.back().count, 1'000'000'000'001U);
  EXPECT_NEAR(table.rows.back().value_ms, 4398046.511103, 1e-6);
  EXPECT_LT(table.rows.size(), 300U);
}

}  // namespace
}  // namespace echod::client
