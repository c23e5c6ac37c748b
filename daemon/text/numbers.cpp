#include "text/numbers.hpp"

#include <array>
#include <cstddef>
#include <cstdio>

namespace echod {

std::string count_text(std::uint64_t count) {
  constexpr std::size_t kGroup = 3;
  std::string text = std::to_string(count);
  for (std::size_t left = text.size(); left > kGroup;) {
    left -= kGroup;
    text.insert(left, 1, ' ');
  }
  return text;
}

std::string number_text(double number, int decimals) {
  constexpr std::size_t kMost = 340;  // The largest double has 309 digits.
  std::array<char, kMost> text{};
  (void)std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  return text.data();
}

std::string three_digits_text(double number) {
  constexpr double kTwoDecimalsBelow = 9.995;  // Above, the number rounds to 10.
  constexpr double kOneDecimalBelow = 99.95;
  const int decimals = number < kTwoDecimalsBelow ? 2 : number < kOneDecimalBelow ? 1 : 0;
  std::string digits = number_text(number, decimals);
  while (decimals > 0 && digits.back() == '0') {
    digits.pop_back();
  }
  if (digits.back() == '.') {
    digits.pop_back();
  }
  return digits;
}

std::string scaled_text(double number, double step, std::span<const std::string_view> units) {
  constexpr double kRounding = 0.9995;  // 999.6 us are 1 ms.
  std::size_t unit = 0;
  while (unit + 1 < units.size() && number >= step * kRounding) {
    number /= step;
    ++unit;
  }
  return three_digits_text(number) + ' ' + std::string(units[unit]);
}

}  // namespace echod
