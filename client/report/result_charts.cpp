#include "client/report/result_charts.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "client/report/chart.hpp"
#include "client/report/html_page.hpp"
#include "client/report/run_lines.hpp"
#include "client/text/figures.hpp"
#include "text/html_text.hpp"

namespace echod::client {

namespace {

constexpr double kAll = 100;

double nanos(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count());
}

std::string time_of(double nanoseconds) {
  return duration_text(std::chrono::nanoseconds(std::llround(nanoseconds)));
}

// The CSS class and the name of each line of a chart.
using Legend = std::vector<std::pair<std::string, std::string>>;

std::string section(const std::string& name, const Legend& legend, const Chart& chart) {
  std::string entries;
  for (const auto& [style, text] : legend) {
    entries += element("span", "legend " + style, escaped_html(text));
  }
  return element("section", "",
                 element("h2", "", escaped_html(name)) + element("p", "soft", entries) +
                     element("div", "wide", svg(chart)));
}

// Latency by percentile. The horizontal axis is 1 / (1 - percent/100) on a log scale, so that 90 %,
// 99 %, 99.9 % and so on are equally far apart.

double nines(double percent) {
  return kAll / (kAll - percent);
}

Scale percentile_scale(std::uint64_t samples) {
  constexpr double kLeast = 10;
  constexpr double kTen = 10;
  Scale scale{.low = 1,
              .high = std::max(kLeast, static_cast<double>(samples)),
              .is_log = true,
              .ticks = {{.value = 1, .text = "0 %"}, {.value = 2, .text = "50 %"}}};
  int decimals = -2;
  double value = kTen;
  while (value <= scale.high) {
    const double percent = kAll - kAll / value;
    scale.ticks.push_back(
        {.value = value, .text = number_text(percent, std::max(0, ++decimals)) + " %"});
    value *= kTen;
  }
  return scale;
}

Line percentile_line(const Histogram& latency, double high) {
  constexpr double kStep = 1.07;  // About ten points for each halving of the distance to 100 %.
  Line line{.style = "p50", .pieces = {{}}, .is_filled = true};
  std::vector<Point>& points = line.pieces.front();
  double x = 1;
  while (x < high) {
    points.push_back({.x = x, .y = nanos(latency.percentile(kAll - kAll / x))});
    x *= kStep;
  }
  points.push_back({.x = high, .y = nanos(latency.max())});
  return line;
}

std::vector<Mark> percentile_marks(const Histogram& latency, double high) {
  constexpr double kNearEnd = 0.92;  // The text of the maximum needs the space.
  std::vector<Mark> marks;
  for (const auto& [name, percent] : kReportedPercentiles) {
    const bool is_max = percent >= kAll;
    const double x = is_max ? high : nines(percent);
    const bool has_space = is_max || std::log(x) < kNearEnd * std::log(high);
    if (const auto value = latency.known_percentile(percent); value && has_space) {
      marks.push_back({.at = {.x = x, .y = nanos(*value)},
                       .style = "dot",
                       .text = duration_text(*value),
                       .title = std::string(name) + ": " + duration_text(*value)});
    }
  }
  return marks;
}

std::vector<Mark> limit_marks(const Verdict& verdict, double high) {
  std::vector<Mark> marks;
  for (const LimitOutcome& outcome : verdict.limits) {
    if (outcome.limit.kind == Limit::Kind::latency) {
      const double percent = outcome.limit.percent;
      marks.push_back(
          {.at = {.x = percent < kAll ? nines(percent) : high,
                  .y = std::max(1.0, nanos(outcome.limit.most))},  // A log scale has no 0.
           .style = outcome.is_met ? "met" : "missed",
           .text = {},
           .title = "--slo " + outcome.limit.text + (outcome.is_met ? ": met" : ": missed")});
    }
  }
  return marks;
}

std::string latency_by_percentile(const LoadResult& result, const Verdict& verdict) {
  const Histogram& latency = result.tally.latency;
  if (latency.count() == 0) {
    return "";
  }
  Chart chart{.name = "Latency by percentile",
              .x_name = "percentile",
              .x = percentile_scale(latency.count()),
              .y = {}};
  const double high = chart.x.high;
  double lowest = std::max(1.0, nanos(latency.min()));
  double highest = nanos(latency.max());
  chart.marks = limit_marks(verdict, high);
  for (const Mark& mark : chart.marks) {
    lowest = std::min(lowest, mark.at.y);
    highest = std::max(highest, mark.at.y);
  }
  chart.y = log_scale(lowest, highest, time_of);
  chart.lines = {percentile_line(latency, high)};
  for (const Mark& mark : percentile_marks(latency, high)) {
    chart.marks.push_back(mark);
  }
  Legend legend{{"p50", "latency"}};
  for (const LimitOutcome& outcome : verdict.limits) {
    if (outcome.limit.kind == Limit::Kind::latency) {
      legend.emplace_back(outcome.is_met ? "met" : "missed",
                          outcome.limit.text + (outcome.is_met ? " met" : " missed"));
    }
  }
  return section("Latency by percentile", legend, chart);
}

// Over time.

Scale time_scale(std::chrono::nanoseconds measured) {
  constexpr double kMinute = 60;
  constexpr double kLongInSeconds = 10 * kMinute;
  constexpr double kLongInMinutes = 3 * kMinute;
  const double length = std::max(seconds(measured), 1e-3);
  const bool is_short = length <= kLongInSeconds;
  const bool is_long = length > kLongInMinutes * kMinute;
  const double unit = is_short ? 1 : is_long ? kMinute * kMinute : kMinute;
  const std::string name = is_short ? " s" : is_long ? " h" : " min";
  Scale scale = linear_scale(length / unit,
                             [&name](double value) { return short_number_text(value) + name; });
  for (Tick& tick : scale.ticks) {
    tick.value *= unit;
  }
  scale.high = length;
  return scale;
}

double end_of(const Interval& interval) {
  return seconds(interval.begin + interval.length);
}

// A line with a step for each interval, and a gap where `value` is empty.
template <typename Value>
Line steps(const std::vector<Interval>& series, const std::string& style, Value value) {
  Line line{.style = style, .pieces = {{}}};
  for (const Interval& interval : series) {
    if (const std::optional<double> y = value(interval)) {
      line.pieces.back().push_back({.x = seconds(interval.begin), .y = *y});
      line.pieces.back().push_back({.x = end_of(interval), .y = *y});
    } else if (!line.pieces.back().empty()) {
      line.pieces.emplace_back();
    }
  }
  return line;
}

// Tooltips for the intervals. If there are too many, only for those in which nothing came back.
std::vector<Span> spans(const Options& options, const LoadResult& result) {
  constexpr std::size_t kMost = 600;
  std::vector<Span> all;
  for (const Interval& interval : result.series) {
    const bool is_silent = interval.counts.bytes_received == 0 && options.plan.active > 0;
    if (is_silent || result.series.size() <= kMost) {
      all.push_back({.begin = seconds(interval.begin),
                     .end = end_of(interval),
                     .style = is_silent ? "silent" : "part",
                     .title = interval_line(options, interval)});
    }
  }
  return all;
}

bool has_silence(const Chart& chart) {
  return std::ranges::any_of(chart.spans, [](const Span& span) { return span.style == "silent"; });
}

Chart chart_over_time(const std::string& name, const Options& options, const LoadResult& result) {
  return {.name = name,
          .x_name = "time since the measuring began",
          .x = time_scale(result.measured),
          .y = {},
          .spans = spans(options, result)};
}

std::string over_time_section(const Chart& chart, Legend legend) {
  if (has_silence(chart)) {
    legend.emplace_back("silent", "nothing came back");
  }
  return section(chart.name, legend, chart);
}

std::string latency_over_time(const Options& options, const LoadResult& result) {
  const Histogram& latency = result.tally.latency;
  if (latency.count() == 0) {
    return "";
  }
  Chart chart = chart_over_time("Latency over time", options, result);
  const auto of = [](const std::optional<std::chrono::nanoseconds>& time) {
    return time ? std::optional(nanos(*time)) : std::nullopt;
  };
  chart.lines = {steps(result.series, "p50", [&of](const Interval& one) { return of(one.p50); }),
                 steps(result.series, "p99", [&of](const Interval& one) { return of(one.p99); }),
                 steps(result.series, "max", [](const Interval& one) {
                   return one.latencies > 0 ? std::optional(nanos(one.max)) : std::nullopt;
                 })};
  double lowest = nanos(latency.max());
  for (const Line& line : chart.lines) {
    for (const auto& piece : line.pieces) {
      for (const Point& point : piece) {
        lowest = std::min(lowest, point.y);
      }
    }
  }
  chart.y = log_scale(std::max(1.0, lowest), nanos(latency.max()), time_of);
  return over_time_section(chart, {{"p50", "p50"}, {"p99", "p99"}, {"max", "max"}});
}

double per_second(double amount, const Interval& interval) {
  return amount / std::max(seconds(interval.length), 1e-9);
}

// The rate asked for, up to `end`: a constant, or a step for each rate that was measured.
Line asked_rate(const Options& options, const LoadResult& result, double end) {
  const LoadPlan& plan = options.plan;
  Line line{.style = "asked", .pieces = {{}}};
  std::vector<Point>& points = line.pieces.front();
  if (plan.steps.rates_per_s.empty()) {
    points = {{.x = 0, .y = *plan.rate_per_s}, {.x = end, .y = *plan.rate_per_s}};
  }
  std::chrono::nanoseconds begin{0};
  for (std::size_t step = 0; step < plan.steps.rates_per_s.size(); ++step) {
    const double rate = plan.steps.rates_per_s[step];
    const std::chrono::nanoseconds time = time_of_step(step, options, result);
    if (time.count() > 0) {
      points.push_back({.x = seconds(begin), .y = rate});
      points.push_back({.x = seconds(begin + time), .y = rate});
    }
    begin += time;
  }
  return line;
}

std::string rate_over_time(const Options& options, const LoadResult& result) {
  const bool is_stream = options.plan.mode == LoadMode::stream;
  const std::string what = is_stream                                ? "MB received per second"
                           : options.plan.mode == LoadMode::connect ? "cycles per second"
                                                                    : "echoes per second";
  Chart chart = chart_over_time("Throughput over time", options, result);
  chart.lines = {steps(result.series, "rate", [is_stream](const Interval& one) {
    const double amount = is_stream ? static_cast<double>(one.counts.bytes_received) / kMega
                                    : static_cast<double>(one.counts.echoes);
    return std::optional(per_second(amount, one));
  })};
  chart.lines.front().is_filled = true;
  Legend legend{{"rate", what}};
  if (options.plan.rate_per_s) {
    chart.lines.push_back(asked_rate(options, result, chart.x.high));
    legend.emplace_back("asked", "asked for");
  }
  double highest = 0;
  for (const Line& line : chart.lines) {
    for (const Point& point : line.pieces.front()) {
      highest = std::max(highest, point.y);
    }
  }
  constexpr double kAir = 1.05;
  chart.y = linear_scale(kAir * highest, short_number_text);
  return over_time_section(chart, legend);
}

std::string errors_over_time(const Options& options, const LoadResult& result) {
  double highest = 0;
  for (const Interval& interval : result.series) {
    highest = std::max(highest, static_cast<double>(interval.counts.errors));
  }
  if (highest == 0) {
    return "";
  }
  Chart chart = chart_over_time("Errors over time", options, result);
  chart.lines = {steps(result.series, "errors", [](const Interval& one) {
    return std::optional(static_cast<double>(one.counts.errors));
  })};
  chart.lines.front().is_filled = true;
  chart.y = linear_scale(highest, short_number_text);
  return over_time_section(chart,
                           {{"errors", "errors in " + duration_text(options.plan.interval)}});
}

}  // namespace

std::string charts(const Options& options, const LoadResult& result, const Verdict& verdict) {
  if (result.measured.count() == 0) {
    return "";
  }
  return latency_by_percentile(result, verdict) + latency_over_time(options, result) +
         rate_over_time(options, result) + errors_over_time(options, result);
}

}  // namespace echod::client
