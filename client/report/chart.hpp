// Draws line charts as SVG. The page must have the styles of html_page.cpp.
// Thread-safety: stateless functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace echod::client {

struct Tick {
  double value;
  std::string text;
};

// Maps the values of an axis to positions from 0 to 1.
struct Scale {
  double low = 0;
  double high = 1;
  bool is_log = false;
  std::vector<Tick> ticks = {};

  // The position of `value`. Values outside the scale get the nearer end.
  [[nodiscard]] double fraction_of(double value) const;
};

using TickText = std::function<std::string(double value)>;

// From 0 to `high`, or to 1 if `high` is 0. The distance between ticks is 1, 2 or 5 times a power
// of ten.
[[nodiscard]] Scale linear_scale(double high, const TickText& text);
// From at most `low`, which must be above 0, to at least `high`. There is a tick at each power of
// ten, and also at 2 and 5 times that if there are few.
[[nodiscard]] Scale log_scale(double low, double high, const TickText& text);

struct Point {
  double x;
  double y;
};

struct Line {
  std::string style;                       // A CSS class of the page.
  std::vector<std::vector<Point>> pieces;  // There are gaps between them.
  bool is_filled = false;                  // Fills the area below the line.
};

struct Mark {
  Point at;
  std::string style;  // "dot": a dot with text above. "met", "missed": a short line.
  std::string text;
  std::string title;
};

// A range of x values with a tooltip.
struct Span {
  double begin;
  double end;
  std::string style;
  std::string title;
};

struct Chart {
  std::string name;  // Screen readers read it (aria-label).
  std::string x_name;
  Scale x;
  Scale y;
  std::vector<Line> lines = {};
  std::vector<Mark> marks = {};
  std::vector<Span> spans = {};
};

[[nodiscard]] std::string svg(const Chart& chart);

}  // namespace echod::client
