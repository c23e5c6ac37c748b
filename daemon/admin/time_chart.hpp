// Draws values over time: lines in SVG, with labels in HTML, so that the text keeps its size at any
// width. The page must have the styles of status_style.hpp.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>
#include <vector>

#include "admin/snapshot.hpp"

namespace echod {

struct ChartPoint {
  UnixSeconds time = 0;
  double value = 0;
};

struct ChartLine {
  std::string name;
  std::string style;  // A CSS class of the page.
  std::vector<ChartPoint> points;
  bool is_filled = false;  // Fills the area below the line.
};

struct TimeChart {
  std::string title;
  UnixSeconds end = 0;  // The right end, which is labelled "now".
  std::vector<ChartLine> lines;
  double limit = 0;       // A dashed line, drawn if the values come near it; 0: none.
  bool is_whole = false;  // The values are whole numbers.
};

// A <figure>. Its legend has the last and the largest value of each line. Without points it says
// that there are none yet.
[[nodiscard]] std::string chart_html(const TimeChart& chart);

}  // namespace echod
