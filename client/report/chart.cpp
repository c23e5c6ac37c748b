#include "client/report/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "client/text/figures.hpp"
#include "text/html_text.hpp"

namespace echod::client {

namespace {

// The size of the drawing, and the area of the lines in it.
constexpr double kWidth = 880;
constexpr double kHeight = 290;
constexpr double kLeft = 76;
constexpr double kRight = 850;
constexpr double kTop = 22;
constexpr double kBottom = 236;

constexpr std::array kSteps{1.0, 2.0, 5.0, 10.0};

std::string text_of(double number) {
  return number_text(number, 1);
}

// The largest number of the form 1, 2 or 5 times a power of ten that is at most `value`, and the
// smallest that is at least `value`.
double step_below(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  double step = power;
  for (const double factor : kSteps) {
    step = factor * power <= value * (1 + 1e-9) ? factor * power : step;
  }
  return step;
}

double step_above(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  // The last one is large enough for every value, so it needs no test.
  const auto* const factor =
      std::find_if(kSteps.begin(), kSteps.end() - 1,
                   [power, value](double one) { return one * power >= value * (1 - 1e-9); });
  return *factor * power;
}

double x_of(const Chart& chart, double value) {
  return kLeft + chart.x.fraction_of(value) * (kRight - kLeft);
}

double y_of(const Chart& chart, double value) {
  return kBottom - chart.y.fraction_of(value) * (kBottom - kTop);
}

std::string label(double x, double y, const std::string& style, const std::string& text) {
  return "<text class=\"" + style + "\" x=\"" + text_of(x) + "\" y=\"" + text_of(y) + "\">" +
         escaped_html(text) + "</text>\n";
}

std::string straight_line(double x1, double y1, double x2, double y2, const std::string& style) {
  return "<path class=\"" + style + "\" d=\"M" + text_of(x1) + ' ' + text_of(y1) + 'L' +
         text_of(x2) + ' ' + text_of(y2) + "\"/>\n";
}

std::string title(const std::string& text) {
  if (text.empty()) {
    return "";
  }
  return "<title>" + escaped_html(text) + "</title>";
}

std::string axes(const Chart& chart) {
  constexpr double kTextBelow = 22;
  constexpr double kNameBelow = 46;
  constexpr double kTextLeft = 8;
  constexpr double kMiddle = 4;  // From the baseline of a text up to its middle.
  std::string text;
  for (const Tick& tick : chart.y.ticks) {
    const double y = y_of(chart, tick.value);
    text += straight_line(kLeft, y, kRight, y, "grid") +
            label(kLeft - kTextLeft, y + kMiddle, "y", tick.text);
  }
  for (const Tick& tick : chart.x.ticks) {
    const double x = x_of(chart, tick.value);
    text +=
        straight_line(x, kTop, x, kBottom, "grid") + label(x, kBottom + kTextBelow, "x", tick.text);
  }
  return text + straight_line(kLeft, kBottom, kRight, kBottom, "axis") +
         label((kLeft + kRight) / 2, kBottom + kNameBelow, "x", chart.x_name);
}

std::string svg_of(const Chart& chart, const Line& line) {
  std::string path;
  std::string area;
  for (const std::vector<Point>& piece : line.pieces) {
    std::string points;
    for (const Point& point : piece) {
      points += (points.empty() ? 'M' : 'L') + text_of(x_of(chart, point.x)) + ' ' +
                text_of(y_of(chart, point.y));
    }
    path += points;
    if (line.is_filled && !piece.empty()) {
      area += points + 'L' + text_of(x_of(chart, piece.back().x)) + ' ' + text_of(kBottom) + 'L' +
              text_of(x_of(chart, piece.front().x)) + ' ' + text_of(kBottom) + 'Z';
    }
  }
  std::string text;
  if (!area.empty()) {
    text = "<path class=\"area " + line.style + "\" d=\"" + area + "\"/>\n";
  }
  return text + "<path class=\"line " + line.style + "\" d=\"" + path + "\"/>\n";
}

std::string svg_of(const Chart& chart, const Mark& mark) {
  constexpr double kHalf = 16;
  constexpr double kAbove = 8;
  const double x = x_of(chart, mark.at.x);
  const double y = y_of(chart, mark.at.y);
  std::string text = "<g class=\"" + mark.style + "\">" + title(mark.title) + '\n';
  if (mark.style == "dot") {
    text += "<circle cx=\"" + text_of(x) + "\" cy=\"" + text_of(y) + "\" r=\"3.5\"/>\n" +
            label(x, y - kAbove, "x", mark.text);
  } else {
    text += straight_line(std::max(kLeft, x - kHalf), y, std::min(kRight, x + kHalf), y, "limit");
  }
  return text + "</g>\n";
}

std::string svg_of(const Chart& chart, const Span& span) {
  const double begin = x_of(chart, span.begin);
  return "<rect class=\"" + span.style + "\" x=\"" + text_of(begin) + "\" y=\"" + text_of(kTop) +
         "\" width=\"" + text_of(x_of(chart, span.end) - begin) + "\" height=\"" +
         text_of(kBottom - kTop) + "\">" + title(span.title) + "</rect>\n";
}

template <typename Things>
std::string svg_of_all(const Chart& chart, const Things& things) {
  std::string text;
  for (const auto& thing : things) {
    text += svg_of(chart, thing);
  }
  return text;
}

}  // namespace

double Scale::fraction_of(double value) const {
  const auto transformed = [this](double number) { return is_log ? std::log10(number) : number; };
  return (transformed(std::clamp(value, low, high)) - transformed(low)) /
         (transformed(high) - transformed(low));
}

Scale linear_scale(double high, const TickText& text) {
  constexpr double kFewestTicks = 4;
  high = high > 0 ? high : 1;
  const double step = step_below(high / kFewestTicks);
  Scale scale{.low = 0, .high = high};
  for (int i = 0; i * step <= high * (1 + 1e-9); ++i) {
    scale.ticks.push_back({.value = i * step, .text = text(i * step)});
  }
  return scale;
}

Scale log_scale(double low, double high, const TickText& text) {
  constexpr double kFewDecades = 3;
  Scale scale{.low = step_below(low), .high = step_above(high), .is_log = true};
  if (scale.high <= scale.low) {
    scale.high = step_above(2 * scale.low);
  }
  const bool are_few = scale.high / scale.low <= std::pow(10, kFewDecades);
  double value = scale.low;
  while (value <= scale.high * (1 + 1e-9)) {
    const double decades = std::log10(value);
    if (are_few || std::abs(decades - std::round(decades)) < 1e-6) {
      scale.ticks.push_back({.value = value, .text = text(value)});
    }
    value = step_above(value * (1 + 1e-6));
  }
  return scale;
}

std::string svg(const Chart& chart) {
  return R"(<svg viewBox="0 0 )" + number_text(kWidth, 0) + ' ' + number_text(kHeight, 0) +
         R"(" role="img" aria-label=")" + escaped_html(chart.name) + "\">\n" + axes(chart) +
         svg_of_all(chart, chart.lines) + svg_of_all(chart, chart.spans) +
         svg_of_all(chart, chart.marks) + "</svg>\n";
}

}  // namespace echod::client
