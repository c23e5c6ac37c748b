#include "admin/time_chart.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

constexpr double kNow = 1'764'400'000;

// A line with these values, 2 s apart, the last one now.
ChartLine line_of(const std::vector<double>& values) {
  ChartLine line{.name = "open", .style = "open", .points = {}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    line.points.push_back(
        {.time = kNow - 2.0 * static_cast<double>(values.size() - 1 - i), .value = values[i]});
  }
  return line;
}

std::string drawn(const std::vector<double>& values, double limit = 0, bool is_whole = true) {
  return chart_html({.title = "Connections",
                     .end = kNow,
                     .lines = {line_of(values)},
                     .limit = limit,
                     .is_whole = is_whole});
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(TimeChartTest, SaysThatThereIsNothingToDrawYet) {
  const std::string text = drawn({});
  EXPECT_TRUE(has(text, "Not enough samples yet"));
  EXPECT_FALSE(has(text, "<svg"));
}

TEST(TimeChartTest, TheLegendHasTheLastAndTheLargestValue) {
  EXPECT_TRUE(has(drawn({3, 1200, 40}), "open: now 40, most 1 200"));
}

TEST(TimeChartTest, DrawsFromTheBottomToTheTopAndUpToNow) {
  // The window is 60 s wide, in 600 units.
  const std::string text = drawn({0, 4, 2});
  EXPECT_TRUE(has(text, "d=\"M560 150L580 0L600 75\"")) << text;
  EXPECT_TRUE(has(text, ">-60 s</span>"));
  EXPECT_TRUE(has(text, ">now</span>"));
}

TEST(TimeChartTest, TheWindowGrowsToTenMinutes) {
  EXPECT_TRUE(has(drawn(std::vector<double>(60, 1)), ">-120 s</span>"));
  EXPECT_TRUE(has(drawn(std::vector<double>(150, 1)), ">-5 min</span>"));
  EXPECT_TRUE(has(drawn(std::vector<double>(301, 1)), ">-10 min</span>"));
}

TEST(TimeChartTest, TheAxisHasRoundSteps) {
  EXPECT_TRUE(has(drawn({2405}), "top:0%\">3 000</span>"));
  EXPECT_TRUE(has(drawn({100}), "top:0%\">100</span>"));
  EXPECT_TRUE(has(drawn({1}), "top:0%\">1</span>"));
  EXPECT_TRUE(has(drawn({0}), "top:0%\">1</span>"));
  EXPECT_TRUE(has(drawn({0.3}, 0, false), "top:0%\">0.3</span>"));
}

TEST(TimeChartTest, DrawsTheLimitOnceTheValuesComeNearIt) {
  EXPECT_FALSE(has(drawn({49}, 100), "limit"));
  EXPECT_TRUE(has(drawn({50}, 100), "limit 100"));
}

TEST(TimeChartTest, PointsOutsideOfTheWindowStayAtItsEdges) {
  TimeChart chart{.title = "", .end = kNow, .lines = {line_of({1, 1})}};
  chart.lines[0].points[0].time = kNow - 5000;
  chart.lines[0].points[1].time = kNow + 5000;
  EXPECT_TRUE(has(chart_html(chart), "d=\"M0 0L600 0\""));
}

TEST(TimeChartTest, EscapesNames) {
  TimeChart chart{.title = "<b>", .end = kNow, .lines = {line_of({1})}};
  chart.lines[0].name = "<i>";
  const std::string text = chart_html(chart);
  EXPECT_TRUE(has(text, "&lt;b&gt;"));
  EXPECT_TRUE(has(text, "&lt;i&gt;: now"));
}

}  // namespace
}  // namespace echod::test
