// Text for people: tables with aligned columns, ages, local times, and bold or coloured words.
// Thread-safety: none; plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace echod::ctl {

// How many columns a terminal needs. A character of UTF-8 counts as one column, and what Style adds
// as none.
[[nodiscard]] std::size_t width_of(std::string_view text) noexcept;
// The first `columns` columns. What Style added stays complete.
[[nodiscard]] std::string cut(std::string_view text, std::size_t columns);

class Table {
 public:
  enum class Align : std::uint8_t { left, right };
  struct Column {
    std::string heading;
    Align align = Align::right;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Must have a cell for each column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_.size(); }
  // The headings and then the rows, without spaces at their ends.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Makes words stand out on a terminal (ECMA-48, SGR); returns them unchanged if it is off.
class Style {
 public:
  explicit Style(bool is_on) noexcept : is_on_(is_on) {}
  // Off if standard output is not a terminal, if $NO_COLOR is set, or if $TERM is "dumb".
  [[nodiscard]] static Style of_standard_output();

  [[nodiscard]] std::string bold(std::string_view text) const { return with("1", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return with("32", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return with("1;31", text); }

 private:
  [[nodiscard]] std::string with(std::string_view parameters, std::string_view text) const;

  bool is_on_;
};

// "0.01 s", "12.5 s", "12m 05s", "3h 05m", "4d 07h".
[[nodiscard]] std::string age_text(double seconds);
// "1 234", or "-" if the number is not known.
[[nodiscard]] std::string known_count_text(std::optional<std::uint64_t> count);
// "2026-11-21 02:50:20", in the local time zone.
[[nodiscard]] std::string local_time_text(double unix_seconds);

}  // namespace echod::ctl
