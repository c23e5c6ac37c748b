// Line charts as SVG, for a page that has the styles of html_page.cpp.
// Thread-safety: functions without state.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace echod::client {

struct Tick {
  double value;
  std::string text;
};

// Where the values of an axis are, from 0 to 1.
struct Scale {
  double low = 0;
  double high = 1;
  bool is_log = false;
  std::vector<Tick> ticks = {};

  // Values outside are put on the nearer end.
  [[nodiscard]] double fraction_of(double value) const;
};

using TickText = std::function<std::string(double value)>;

// From 0 to at least `high`; the steps between the ticks are 1, 2 or 5 times a power of ten.
[[nodiscard]] Scale linear_scale(double high, const TickText& text);
// From at most `low`, which is above 0, to at least `high`; a tick for each power of ten, and for
// twice and five times that if they are few.
[[nodiscard]] Scale log_scale(double low, double high, const TickText& text);

struct Point {
  double x;
  double y;
};

struct Line {
  std::string style;                       // A class of the page.
  std::vector<std::vector<Point>> pieces;  // Between them there is nothing.
  bool is_filled = false;                  // Down to the bottom.
};

struct Mark {
  Point at;
  std::string style;  // "dot": with text above. "met", "missed": a short line.
  std::string text;
  std::string title;
};

// A part of the width that has something to tell when the pointer is on it.
struct Span {
  double begin;
  double end;
  std::string style;
  std::string title;
};

struct Chart {
  std::string name;  // What it shows, for screen readers (aria-label).
  std::string x_name;
  Scale x;
  Scale y;
  std::vector<Line> lines = {};
  std::vector<Mark> marks = {};
  std::vector<Span> spans = {};
};

[[nodiscard]] std::string svg(const Chart& chart);

}  // namespace echod::client
