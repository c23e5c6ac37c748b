#include "client/echoctl/table.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "client/text/figures.hpp"

namespace echod::ctl {

namespace {

// Whether `byte` is in a character of UTF-8, but not its first byte.
bool is_continuation(char byte) noexcept {
  constexpr unsigned kMask = 0xC0;
  constexpr unsigned kMark = 0x80;
  return (static_cast<unsigned char>(byte) & kMask) == kMark;
}

// Counts columns in a text, byte by byte.
class ColumnCounter {
 public:
  // Whether a character that needs a column begins with this byte.
  [[nodiscard]] bool begins_a_column(char byte) noexcept {
    is_at_its_end_ = is_in_sequence_ && byte == 'm';
    is_in_sequence_ = (is_in_sequence_ && !is_at_its_end_) || byte == kEscape;
    return !is_in_a_sequence() && !is_continuation(byte);
  }
  // Whether this byte belongs to a control sequence: Escape, [, parameters, m.
  [[nodiscard]] bool is_in_a_sequence() const noexcept { return is_in_sequence_ || is_at_its_end_; }

 private:
  static constexpr char kEscape = '\x1b';

  bool is_in_sequence_ = false;
  bool is_at_its_end_ = false;
};

std::string padded(const std::string& text, std::size_t width, Table::Align align) {
  const std::string padding(width - width_of(text), ' ');
  return align == Table::Align::left ? text + padding : padding + text;
}

// "12m 05s": two units, of which the smaller has two digits.
std::string two_units(std::int64_t large, char large_unit, std::int64_t small, char small_unit) {
  constexpr std::int64_t kTwoDigits = 10;
  return std::to_string(large) + large_unit + (small < kTwoDigits ? " 0" : " ") +
         std::to_string(small) + small_unit;
}

}  // namespace

std::size_t width_of(std::string_view text) noexcept {
  ColumnCounter counter;
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [&](char byte) { return counter.begins_a_column(byte); }));
}

std::string cut(std::string_view text, std::size_t columns) {
  ColumnCounter counter;
  std::string kept;
  std::size_t width = 0;
  for (const char byte : text) {
    const bool is_next = counter.begins_a_column(byte);
    width += is_next ? 1 : 0;
    if (width <= columns || counter.is_in_a_sequence()) {
      kept += byte;
    }
  }
  return kept;
}

std::vector<std::string> Table::lines() const {
  constexpr const char* kGap = "  ";
  std::vector<std::string> headings;
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    headings.push_back(columns_[column].heading);
    widths.push_back(width_of(headings.back()));
    for (const auto& row : rows_) {
      widths.back() = std::max(widths.back(), width_of(row[column]));
    }
  }
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      line += column == 0 ? "" : kGap;
      line += padded(cells[column], widths[column], columns_[column].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  std::vector<std::string> lines{line_of(headings)};
  for (const auto& row : rows_) {
    lines.push_back(line_of(row));
  }
  return lines;
}

Style Style::of_standard_output() {
  // NOLINTBEGIN(concurrency-mt-unsafe): echoctl has one thread.
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  // NOLINTEND(concurrency-mt-unsafe)
  const bool is_refused = no_color != nullptr && *no_color != '\0';
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return Style(isatty(STDOUT_FILENO) == 1 && !is_refused && !is_dumb);
}

std::string Style::with(std::string_view parameters, std::string_view text) const {
  if (!is_on_ || text.empty()) {
    return std::string(text);
  }
  std::string styled = "\x1b[";
  styled += parameters;
  styled += 'm';
  styled += text;
  return styled + "\x1b[0m";
}

std::string age_text(double seconds) {
  constexpr double kMostSeconds = 1e15;
  constexpr double kTwoDecimalsBelow = 9.995;
  constexpr double kOneDecimalBelow = 59.95;
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  if (seconds < kOneDecimalBelow) {
    return client::number_text(std::max(seconds, 0.0), seconds < kTwoDecimalsBelow ? 2 : 1) + " s";
  }
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, kMostSeconds)));
  if (whole < kHour) {
    return two_units(whole / kMinute, 'm', whole % kMinute, 's');
  }
  if (whole < kDay) {
    return two_units(whole / kHour, 'h', whole % kHour / kMinute, 'm');
  }
  return two_units(whole / kDay, 'd', whole % kDay / kHour, 'h');
}

std::string known_count_text(std::optional<std::uint64_t> count) {
  return count ? client::count_text(*count) : "-";
}

std::string local_time_text(double unix_seconds) {
  constexpr std::size_t kMostBytes = 64;
  constexpr double kMost = 1e11;  // The year 5138.
  const auto whole = static_cast<std::time_t>(std::clamp(unix_seconds, 0.0, kMost));
  std::tm parts{};
  std::array<char, kMostBytes> text{};
  if (localtime_r(&whole, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%F %T", &parts) == 0) {
    return "?";
  }
  return text.data();
}

}  // namespace echod::ctl
