#include "admin/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <span>
#include <string_view>

namespace echod {

namespace {

std::string with_decimals(double number, int decimals) {
  constexpr std::size_t kMost = 340;  // The largest double has 309 digits.
  std::array<char, kMost> text{};
  (void)std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  return text.data();
}

// At most three digits unless the integer part has more, without zeros at the end: 410, 64.3, 3.2.
std::string three_digits(double number) {
  constexpr double kTwoDecimalsBelow = 9.995;  // Above, the number rounds to 10.
  constexpr double kOneDecimalBelow = 99.95;
  const int decimals = number < kTwoDecimalsBelow ? 2 : number < kOneDecimalBelow ? 1 : 0;
  std::string digits = with_decimals(number, decimals);
  while (decimals > 0 && digits.back() == '0') {
    digits.pop_back();
  }
  if (digits.back() == '.') {
    digits.pop_back();
  }
  return digits;
}

// In the largest of `units` in which the value is at least 1. Each unit is `step` times the one
// before.
std::string scaled(double value, double step, std::span<const std::string_view> units) {
  constexpr double kRounding = 0.9995;  // 999.6 us are 1 ms.
  std::size_t unit = 0;
  while (unit + 1 < units.size() && value >= step * kRounding) {
    value /= step;
    ++unit;
  }
  return three_digits(value) + ' ' + std::string(units[unit]);
}

struct TimeUnit {
  std::uint64_t seconds;
  std::string_view name;
};

}  // namespace

std::string count_text(std::uint64_t count) {
  constexpr std::size_t kGroup = 3;
  std::string text = std::to_string(count);
  for (std::size_t left = text.size(); left > kGroup;) {
    left -= kGroup;
    text.insert(left, 1, ' ');
  }
  return text;
}

std::string total_text(std::uint64_t count) {
  constexpr std::uint64_t kInexactFrom = 10'000'000;
  constexpr std::array<std::string_view, 5> kUnits{"M", "G", "T", "P", "E"};
  constexpr double kMillion = 1e6;
  constexpr double kStep = 1000;
  return count < kInexactFrom ? count_text(count)
                              : scaled(static_cast<double>(count) / kMillion, kStep, kUnits);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  constexpr double kStep = 1024;
  return scaled(static_cast<double>(bytes), kStep, kUnits);
}

std::string figure_text(double number) {
  constexpr double kNoDecimalsFrom = 99.95;
  constexpr double kMostExact = 1e15;
  if (number >= kNoDecimalsFrom && number < kMostExact) {
    return count_text(static_cast<std::uint64_t>(std::llround(number)));
  }
  return three_digits(number);
}

std::string throughput_text(double bytes_per_s) {
  constexpr double kBytesPerMegabyte = 1e6;
  return figure_text(bytes_per_s / kBytesPerMegabyte) + " MB/s";
}

std::string delay_text(double seconds) {
  constexpr std::array<std::string_view, 3> kUnits{"us", "ms", "s"};
  constexpr double kPerSecond = 1e6;
  constexpr double kStep = 1000;
  return scaled(seconds * kPerSecond, kStep, kUnits);
}

std::string age_text(double seconds) {
  constexpr auto kUnits =
      std::to_array<TimeUnit>({{86'400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}});
  constexpr double kLongest = 1e15;
  auto left = static_cast<std::uint64_t>(seconds > 0 ? std::min(seconds, kLongest) : 0);
  const auto* unit = std::find_if(kUnits.begin(), kUnits.end() - 1,
                                  [left](const TimeUnit& one) { return left >= one.seconds; });
  std::string text = std::to_string(left / unit->seconds) + std::string(unit->name);
  left %= unit->seconds;
  const auto* const next = unit + 1;
  if (next != kUnits.end() && left >= next->seconds) {
    text += ' ' + std::to_string(left / next->seconds) + std::string(next->name);
  }
  return text;
}

std::string utc_text(UnixSeconds time) {
  constexpr double kEndOfYear9999 = 253'402'300'800;
  if (!(time >= 0 && time < kEndOfYear9999)) {
    return "";
  }
  const auto seconds = static_cast<std::time_t>(time);
  std::tm parts{};
  std::array<char, sizeof "2026-11-29 17:42:10 UTC"> text{};
  if (gmtime_r(&seconds, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) {
    return "";
  }
  return text.data();
}

unsigned percent(std::uint64_t part, std::uint64_t whole) noexcept {
  constexpr double kHundred = 100;
  if (whole == 0) {
    return 0;
  }
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  return static_cast<unsigned>(std::min(kHundred, kHundred * share));
}

}  // namespace echod
