#include "client/echoctl/interval_line.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace echod::ctl {

namespace {

struct IntervalColumn {
  const char* heading;
  std::size_t width;
};
constexpr std::array<IntervalColumn, 9> kIntervalColumns{{{"conns", 7},
                                                          {"accept/s", 8},
                                                          {"close/s", 8},
                                                          {"echo/s", 8},
                                                          {"in", 10},
                                                          {"out", 10},
                                                          {"wait", 5},
                                                          {"p50", 6},
                                                          {"p99", 6}}};

// Aligned to the right; the state, which has no column, follows.
std::string interval_text(std::array<std::string, kIntervalColumns.size()> cells,
                          const std::string& state) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::erase(cells[i], ' ');
    const std::size_t width = kIntervalColumns[i].width;
    line.append(cells[i].size() < width ? width - cells[i].size() : 0, ' ');
    line += cells[i] + ' ';
  }
  return line + state + '\n';
}

}  // namespace

std::string interval_headings() {
  std::array<std::string, kIntervalColumns.size()> headings;
  for (std::size_t i = 0; i < headings.size(); ++i) {
    headings[i] = kIntervalColumns[i].heading;
  }
  return interval_text(headings, "state");
}

std::string interval_line(const TopFigures& figures) {
  std::uint64_t waiting = 0;
  for (const Listener& listener : figures.status.listeners) {
    waiting += listener.waiting.value_or(0);
  }
  return interval_text(
      {std::to_string(figures.status.connections), rate_text(figures, &Rates::accepted),
       rate_text(figures, &Rates::closed), rate_text(figures, &Rates::echoes),
       speed_text(figures, &Rates::bytes_received), speed_text(figures, &Rates::bytes_sent),
       std::to_string(waiting), delay_text(figures, 0.5), delay_text(figures, 0.99)},
      figures.status.phase);
}

}  // namespace echod::ctl
