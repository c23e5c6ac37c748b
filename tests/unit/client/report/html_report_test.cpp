// The content of the page. tests/project/html_report_test.py checks how it looks.
#include "client/report/html_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "load_results.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HtmlReportTest : public testing::Test {
 protected:
  HtmlReportTest() {
    for (int i = 0; i < 10; ++i) {
      result_.series.push_back({.begin = seconds(i),
                                .length = seconds(1),
                                .counts = {.echoes = 10'000, .bytes_received = 640'000},
                                .latencies = 10'000,
                                .p50 = milliseconds(1),
                                .p99 = milliseconds(2),
                                .max = milliseconds(8)});
    }
  }
  [[nodiscard]] std::string text() const {
    return html_report(options_, result_, test::some_environment(), verdict_on(options_, result_));
  }
  [[nodiscard]] bool says(const std::string& what) const {
    return text().find(what) != std::string::npos;
  }

  Options options_ = test::good_options();
  LoadResult result_ = test::good_result();
};

TEST_F(HtmlReportTest, SaysWhatWasRunAndTheVerdict) {
  EXPECT_TRUE(text().starts_with("<!DOCTYPE html>\n"));
  EXPECT_TRUE(says("<title>echoload, passed: echo.example:2003</title>"));
  EXPECT_TRUE(
      says("<h1>echo, 64 connections, 64 bytes, depth 1, closed loop, 1 thread, to "
           "192.0.2.9:2003</h1>"));
  EXPECT_TRUE(says("echoload 1.2.3, 2026-11-21T09:24:18Z"));
  EXPECT_TRUE(says("<div class=\"verdict good\">passed</div>"));
  EXPECT_TRUE(says("<td>Linux 6.1.0</td>"));
  result_.is_interrupted = true;
  EXPECT_TRUE(says("<div class=\"verdict middling\">interrupted</div>"));
}

TEST_F(HtmlReportTest, OnUdpATileTellsOfLostDatagrams) {
  const std::string name = "<div class=\"soft\">lost</div>\n";
  EXPECT_FALSE(says(name));
  options_.plan.server = Endpoint::udp(options_.plan.server.address());
  EXPECT_TRUE(says(name + "<div class=\"value \">0</div>"));
  result_.tally.datagrams = {.sent = 100'000, .lost = 1234};
  EXPECT_TRUE(says(name + "<div class=\"value bad\">1 234</div>"));
}

TEST_F(HtmlReportTest, HasAChartOfEverythingThatWasMeasured) {
  for (const char* chart : {"Latency by percentile", "Latency over time", "Throughput over time"}) {
    EXPECT_TRUE(says(std::string("<h2>") + chart + "</h2>")) << chart;
  }
  EXPECT_FALSE(says("Errors over time"));
  EXPECT_TRUE(says("<title>p99.9: 1 ms</title>"));
  EXPECT_TRUE(
      says("<title>3 to 4 s: 0 errors, 10 000 echoes/s, p50 1 ms, p99 2 ms, max 8 ms, "
           "0.6 MB/s</title>"));
}

// The heights at which the line of the rate asked for runs; they grow downwards.
std::vector<double> asked_heights(const std::string& page) {
  const std::string begin = "<path class=\"line asked\" d=\"";
  const std::size_t at = page.find(begin);
  if (at == std::string::npos) {
    return {};
  }
  std::istringstream path(page.substr(at + begin.size()));
  std::vector<double> heights;
  char command = '\0';
  double x = 0;
  double y = 0;
  while (path >> command >> x >> y) {
    heights.push_back(y);
  }
  return heights;
}

TEST_F(HtmlReportTest, TheRateAskedForIsALevelLine) {
  EXPECT_EQ(asked_heights(text()), std::vector<double>());
  options_.plan.rate_per_s = 10'000;
  const std::vector<double> heights = asked_heights(text());
  ASSERT_EQ(heights.size(), 2U);
  EXPECT_EQ(heights[0], heights[1]);
}

TEST_F(HtmlReportTest, TheRateAskedForHasALevelForEachStepThatWasMeasured) {
  test::add_steps(options_, result_);
  const std::vector<double> heights = asked_heights(text());
  ASSERT_EQ(heights.size(), 4U);
  EXPECT_EQ(heights[0], heights[1]);
  EXPECT_GT(heights[1], heights[2]) << "the second rate is higher";
  EXPECT_EQ(heights[2], heights[3]);
  result_.measured = seconds(5);  // Interrupted before the second step.
  EXPECT_EQ(asked_heights(text()).size(), 2U);
}

TEST_F(HtmlReportTest, ShowsWhenNothingCameBack) {
  EXPECT_FALSE(says("nothing came back"));
  result_.series[4].counts = {.errors = 3};
  result_.series[4].latencies = 0;
  EXPECT_TRUE(says("nothing came back"));
  EXPECT_TRUE(says("<rect class=\"silent\""));
  EXPECT_TRUE(says("<h2>Errors over time</h2>"));
}

TEST_F(HtmlReportTest, NamesFailuresWarningsAndErrors) {
  result_.tally.count(LoadError::reset, "connection 3: recv: <gone>");
  result_.thread_shares = {1};
  options_.limits = {{.text = "max=7ms", .percent = 100, .most = milliseconds(7)}};
  EXPECT_TRUE(says("<div class=\"verdict bad\">failed</div>"));
  EXPECT_TRUE(says("Failed: <span>max=7ms was missed: 8 ms</span>"));
  EXPECT_TRUE(says("Warning: <span>the client was the bottleneck"));
  EXPECT_TRUE(says("<th>reset</th><td>1</td>"));
  EXPECT_TRUE(says("connection 3: recv: &lt;gone&gt;"));
  EXPECT_TRUE(says("<g class=\"missed\"><title>--slo max=7ms: missed</title>"));
}

TEST_F(HtmlReportTest, AStreamShowsBytesAndNoLatency) {
  options_.plan.mode = LoadMode::stream;
  result_.tally.latency = Histogram();
  result_.tally.echoes = 0;
  EXPECT_TRUE(says("MB received per second"));
  EXPECT_FALSE(says("<h2>Latency"));
}

TEST_F(HtmlReportTest, SaysWhyARunCouldNotBegin) {
  options_.target = "<b>:1";
  const std::string text =
      html_report(options_, {}, test::some_environment(), could_not_begin("no connection"));
  EXPECT_NE(text.find("<div class=\"verdict bad\">did not begin</div>"), std::string::npos);
  EXPECT_NE(text.find("the run could not begin: no connection"), std::string::npos);
  EXPECT_NE(text.find("<h1>&lt;b&gt;:1</h1>"), std::string::npos);
  EXPECT_EQ(text.find("<svg"), std::string::npos);
}

TEST_F(HtmlReportTest, ControlCharactersOfTheTargetAreShownAsEscapes) {
  options_.target = "a\x01\nb\xFF:1";
  const std::string text =
      html_report(options_, {}, test::some_environment(),
                  could_not_begin("no connection to the server: a\x01\nb\xFF: unknown"));
  EXPECT_NE(text.find("<h1>a\\x01\\nb\uFFFD:1</h1>"), std::string::npos);
  EXPECT_NE(text.find("<title>echoload, did not begin: a\\x01\\nb\uFFFD:1</title>"),
            std::string::npos);
  EXPECT_NE(text.find("server: a\\x01\\nb\uFFFD: unknown</span>"), std::string::npos);
  EXPECT_EQ(text.find('\x01'), std::string::npos);
  EXPECT_EQ(text.find('\xFF'), std::string::npos);
}

TEST_F(HtmlReportTest, AVeryLongRunHasNoTooltipForEachInterval) {
  const Interval interval = result_.series.front();
  result_.series.assign(100'000, interval);
  EXPECT_FALSE(says("<rect class=\"part\""));
}

TEST_F(HtmlReportTest, ARunInterruptedBeforeTheWindowHasNoChartsAndNoTimes) {
  result_.measured = seconds(0);
  result_.tally = Tally();
  result_.series.clear();
  result_.is_interrupted = true;
  EXPECT_FALSE(says("<svg"));
  EXPECT_FALSE(says("<h2>Times</h2>"));
  EXPECT_TRUE(says("interrupted before anything was measured"));
}

TEST_F(HtmlReportTest, NamesTheSourceAddresses) {
  EXPECT_TRUE(says("<th>source addresses</th><td>chosen by the kernel</td>"));
  options_.plan.sources = {*SocketAddress::parse("127.0.0.2", 0), *SocketAddress::parse("::1", 0)};
  EXPECT_TRUE(says("<th>source addresses</th><td>127.0.0.2, ::1</td>"));
}

TEST_F(HtmlReportTest, LatencyLimitsAreMarkedAsMetOrMissedAndOthersAreNot) {
  options_.limits = {{.text = "p50=2ms", .percent = 50, .most = milliseconds(2)},
                     {.text = "max=2ms", .percent = 100, .most = milliseconds(2)},
                     {.text = "rate>=1", .kind = Limit::Kind::rate, .number = 1}};
  EXPECT_TRUE(says("<g class=\"met\"><title>--slo p50=2ms: met</title>"));
  EXPECT_TRUE(says("<g class=\"missed\"><title>--slo max=2ms: missed</title>"));
  EXPECT_TRUE(says("p50=2ms met"));
  EXPECT_TRUE(says("max=2ms missed"));
  EXPECT_FALSE(says("--slo rate"));
}

TEST_F(HtmlReportTest, ALatencyLimitOfZeroIsAtTheBottomOfTheChart) {
  options_.limits = {{.text = "p50=0", .percent = 50, .most = milliseconds(0)}};
  EXPECT_TRUE(says("<g class=\"missed\"><title>--slo p50=0: missed</title>"));
  EXPECT_TRUE(says(">1 ns</text>"));
}

TEST_F(HtmlReportTest, TheTimeAxisHasTheUnitThatFitsTheRun) {
  EXPECT_TRUE(says(">10 s</text>"));
  result_.measured = std::chrono::minutes(20);
  EXPECT_TRUE(says(">20 min</text>"));
  result_.measured = std::chrono::hours(4);
  EXPECT_TRUE(says(">4 h</text>"));
}

TEST_F(HtmlReportTest, ALineHasAGapWhereNothingWasMeasured) {
  result_.series[4].latencies = 0;
  result_.series[4].p50 = result_.series[4].p99 = std::nullopt;
  const std::string all = text();
  const std::size_t begin = all.find("<path class=\"line p50\"", all.find("Latency over time"));
  ASSERT_NE(begin, std::string::npos);
  const std::string line = all.substr(begin, all.find("/>", begin) - begin);
  EXPECT_EQ(std::ranges::count(line, 'M'), 2) << line;
}

}  // namespace
}  // namespace echod::client
