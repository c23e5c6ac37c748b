#include "client/report/chart.hpp"

#include <gtest/gtest.h>

#include "client/text/figures.hpp"

namespace echod::client {
namespace {

std::string texts(const Scale& scale) {
  std::string text;
  for (const Tick& tick : scale.ticks) {
    text += (text.empty() ? "" : " ") + tick.text;
  }
  return text;
}

std::string plain(double value) {
  return short_number_text(value);
}

TEST(ChartTest, ALinearScaleBeginsAtZeroAndHasRoundSteps) {
  EXPECT_EQ(texts(linear_scale(10, plain)), "0 2 4 6 8 10");
  EXPECT_EQ(texts(linear_scale(8100, plain)), "0 2 000 4 000 6 000 8 000");
  EXPECT_EQ(texts(linear_scale(2.5, plain)), "0 0.50 1 1.50 2 2.50");
  EXPECT_EQ(texts(linear_scale(0, plain)), "0 0.20 0.40 0.60 0.80 1");
  const Scale scale = linear_scale(10, plain);
  EXPECT_EQ(scale.fraction_of(0), 0);
  EXPECT_EQ(scale.fraction_of(2.5), 0.25);
  EXPECT_EQ(scale.fraction_of(11), 1);
}

TEST(ChartTest, ALogarithmicScaleCoversAllValues) {
  EXPECT_EQ(texts(log_scale(30, 900, plain)), "20 50 100 200 500 1 000");
  EXPECT_EQ(texts(log_scale(30, 90'000, plain)), "100 1 000 10 000 100 000");
  EXPECT_EQ(texts(log_scale(100, 100, plain)), "100 200");
  const Scale scale = log_scale(1, 100, plain);
  EXPECT_EQ(scale.fraction_of(1), 0);
  EXPECT_DOUBLE_EQ(scale.fraction_of(10), 0.5);
  EXPECT_EQ(scale.fraction_of(0), 0) << "less than there is on the axis";
}

TEST(ChartTest, ALineIsDrawnAtItsValues) {
  Chart chart{.name = "n", .x_name = "x", .x = {.low = 0, .high = 2}, .y = {.low = 0, .high = 4}};
  chart.lines = {
      {.style = "p50", .pieces = {{{.x = 0, .y = 0}, {.x = 2, .y = 4}}, {{.x = 1, .y = 2}}}}};
  EXPECT_NE(svg(chart).find("<path class=\"line p50\" d=\"M76.0 236.0L850.0 22.0M463.0 129.0\"/>"),
            std::string::npos)
      << svg(chart);
}

TEST(ChartTest, TextIsEscaped) {
  Chart chart{.name = "a\"<b>", .x_name = "x & y", .x = {}, .y = {}};
  chart.spans = {{.begin = 0, .end = 1, .style = "part", .title = "1 < 2"}};
  const std::string text = svg(chart);
  EXPECT_NE(text.find("aria-label=\"a&quot;&lt;b&gt;\""), std::string::npos) << text;
  EXPECT_NE(text.find(">x &amp; y<"), std::string::npos) << text;
  EXPECT_NE(text.find("<title>1 &lt; 2</title>"), std::string::npos) << text;
}

}  // namespace
}  // namespace echod::client
