#include "admin/time_chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "admin/figures.hpp"
#include "text/html_text.hpp"

namespace echod {

namespace {

// The size of the drawing, which is stretched to the width of the page.
constexpr double kChartWidth = 600;
constexpr double kChartHeight = 150;

// Positions in the drawing and on the page: "12.5", not more exact than can be seen.
std::string position(double number) {
  constexpr double kTenths = 10;
  const auto tenths = static_cast<long>(std::lround(number * kTenths));
  const long fraction = tenths % 10;
  return std::to_string(tenths / 10) + (fraction == 0 ? "" : '.' + std::to_string(fraction));
}

// The length of the time that is shown.
struct Window {
  double seconds;
  int parts;              // Between its labels.
  double unit_s;          // Of its labels.
  std::string_view unit;  // The name of that unit.
};
constexpr auto kWindows = std::to_array<Window>(
    {{60, 4, 1, " s"}, {120, 4, 1, " s"}, {300, 5, 60, " min"}, {600, 5, 60, " min"}});

const Window& window_for(const TimeChart& chart) {
  double length = 0;
  for (const ChartLine& line : chart.lines) {
    if (!line.points.empty()) {
      length = std::max(length, chart.end - line.points.front().time);
    }
  }
  const auto* const found =
      std::find_if(kWindows.begin(), kWindows.end() - 1,
                   [length](const Window& window) { return length <= window.seconds; });
  return *found;
}

double highest(const ChartLine& line) {
  double value = 0;
  for (const ChartPoint& point : line.points) {
    value = std::max(value, point.value);
  }
  return value;
}

double highest(const TimeChart& chart) {
  double value = 0;
  for (const ChartLine& line : chart.lines) {
    value = std::max(value, highest(line));
  }
  return value;
}

bool shows_limit(const TimeChart& chart) {
  constexpr double kNear = 0.5;
  return chart.limit > 0 && highest(chart) >= kNear * chart.limit;
}

// The vertical axis: from 0 to a whole number of steps. A step is 1, 2 or 5 times a power of ten.
struct Axis {
  double step;
  int steps;

  [[nodiscard]] double high() const { return step * steps; }
};

Axis axis_for(const TimeChart& chart) {
  constexpr std::array kFactors{1.0, 2.0, 5.0, 10.0};
  constexpr double kMostSteps = 4;
  constexpr double kLeast = 1e-3;
  const double high = std::max({highest(chart), shows_limit(chart) ? chart.limit : 0, kLeast});
  const double power = std::pow(10, std::floor(std::log10(high / kMostSteps)));
  double step = kFactors.back() * power;
  for (const double factor : kFactors) {
    if (factor * power * kMostSteps >= high) {
      step = factor * power;
      break;
    }
  }
  step = chart.is_whole ? std::max(step, 1.0) : step;
  return {.step = step, .steps = std::max(1, static_cast<int>(std::ceil(high / step - 1e-9)))};
}

std::string path(const std::string& style, const std::string& data) {
  return "<path class=\"" + style + R"(" vector-effect="non-scaling-stroke" d=")" + data + "\"/>\n";
}

std::string horizontal(double y, const std::string& style) {
  return path(style, "M0 " + position(y) + 'H' + position(kChartWidth));
}

std::string line_svg(const TimeChart& chart, const ChartLine& line, double high) {
  const double begin = chart.end - window_for(chart).seconds;
  std::string points;
  double first_x = 0;
  double last_x = 0;
  for (const ChartPoint& point : line.points) {
    const double share = (point.time - begin) / window_for(chart).seconds;
    last_x = std::clamp(share, 0.0, 1.0) * kChartWidth;
    const double y = kChartHeight * (1 - std::clamp(point.value / high, 0.0, 1.0));
    first_x = points.empty() ? last_x : first_x;
    points += (points.empty() ? 'M' : 'L') + position(last_x) + ' ' + position(y);
  }
  const std::string area = points + 'V' + position(kChartHeight) + 'H' + position(first_x) + 'Z';
  return (line.is_filled ? path("area " + line.style, area) : "") +
         path("line " + line.style, points);
}

std::string drawing(const TimeChart& chart, const Axis& axis) {
  std::string text;
  for (int i = 0; i <= axis.steps; ++i) {
    text += horizontal(kChartHeight * (1 - static_cast<double>(i) / axis.steps), "grid");
  }
  const int parts = window_for(chart).parts;
  for (int i = 0; i <= parts; ++i) {
    const double x = kChartWidth * i / parts;
    text += path("grid", 'M' + position(x) + " 0V" + position(kChartHeight));
  }
  if (shows_limit(chart)) {
    text += horizontal(kChartHeight * (1 - chart.limit / axis.high()), "line limit");
  }
  for (const ChartLine& line : chart.lines) {
    text += line_svg(chart, line, axis.high());
  }
  return html_element("svg",
                      "viewBox=\"0 0 " + position(kChartWidth) + ' ' + position(kChartHeight) +
                          R"(" preserveAspectRatio="none" aria-hidden="true")",
                      text);
}

std::string value_labels(const Axis& axis) {
  constexpr double kHundred = 100;
  std::string text;
  for (int i = 0; i <= axis.steps; ++i) {
    const std::string from_top = position(kHundred * (axis.steps - i) / axis.steps);
    text += html_element("span", "style=\"top:" + from_top + "%\"", figure_text(i * axis.step));
  }
  // This one is not positioned: it makes the column as wide as the widest label.
  return html_element("div", R"(class="values" aria-hidden="true")",
                      text + html_element("b", "", figure_text(axis.high())) +
                          html_element("b", "", figure_text(axis.step)));
}

std::string time_labels(const Window& window) {
  std::string text;
  for (int i = 0; i < window.parts; ++i) {
    const double ago = window.seconds * (window.parts - i) / window.parts / window.unit_s;
    text += html_element("span", "", '-' + figure_text(ago) + std::string(window.unit));
  }
  return html_element("div", R"(class="times" aria-hidden="true")",
                      text + html_element("span", "", "now"));
}

std::string legend(const TimeChart& chart) {
  std::string text;
  for (const ChartLine& line : chart.lines) {
    text +=
        html_element("span", "class=\"legend " + line.style + '"',
                     escaped_html(line.name) + ": now " + figure_text(line.points.back().value) +
                         ", most " + figure_text(highest(line)));
  }
  if (shows_limit(chart)) {
    text += html_element("span", "class=\"legend limit\"", "limit " + figure_text(chart.limit));
  }
  return text;
}

bool has_points(const TimeChart& chart) {
  return !chart.lines.empty() &&
         std::none_of(chart.lines.begin(), chart.lines.end(),
                      [](const ChartLine& line) { return line.points.empty(); });
}

}  // namespace

std::string chart_html(const TimeChart& chart) {
  const std::string title = html_element("h2", "", escaped_html(chart.title));
  if (!has_points(chart)) {
    return html_element(
        "figure", "",
        html_element("figcaption", "", title) + html_element("p", "class=\"soft\"",
                                                             "Not enough samples yet: there is one "
                                                             "every 2 s."));
  }
  const Axis axis = axis_for(chart);
  return html_element(
      "figure", "",
      html_element("figcaption", "", title + legend(chart)) +
          html_element("div", "class=\"plot\"",
                       value_labels(axis) + drawing(chart, axis) + time_labels(window_for(chart))));
}

}  // namespace echod
