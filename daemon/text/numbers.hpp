// Writes numbers for people.
//
// Thread-safety: stateless functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace echod {

// With groups of three: "1 234 567".
[[nodiscard]] std::string count_text(std::uint64_t count);
// With `decimals` decimals.
[[nodiscard]] std::string number_text(double number, int decimals);
// At most three significant digits, but whole digits are never dropped, and without zeros at the
// end: "1234", "410", "64.3", "3.2", "5".
[[nodiscard]] std::string three_digits_text(double number);
// Likewise, in the largest of `units` in which the number is at least 1: "1.5 MiB". Each unit is
// `step` times the one before. `number` is in the first of them.
[[nodiscard]] std::string scaled_text(double number, double step,
                                      std::span<const std::string_view> units);

}  // namespace echod
