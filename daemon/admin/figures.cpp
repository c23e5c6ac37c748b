#include "admin/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <string_view>

namespace echod {

namespace {

struct TimeUnit {
  std::uint64_t seconds;
  std::string_view name;
};

}  // namespace

std::string total_text(std::uint64_t count) {
  constexpr std::uint64_t kInexactFrom = 10'000'000;
  constexpr std::array<std::string_view, 5> kUnits{"M", "G", "T", "P", "E"};
  constexpr double kMillion = 1e6;
  constexpr double kStep = 1000;
  return count < kInexactFrom ? count_text(count)
                              : scaled_text(static_cast<double>(count) / kMillion, kStep, kUnits);
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  constexpr double kStep = 1024;
  return scaled_text(static_cast<double>(bytes), kStep, kUnits);
}

std::string figure_text(double number) {
  constexpr double kNoDecimalsFrom = 99.95;
  constexpr double kMostExact = 1e15;
  if (number >= kNoDecimalsFrom && number < kMostExact) {
    return count_text(static_cast<std::uint64_t>(std::llround(number)));
  }
  return three_digits_text(number);
}

std::string throughput_text(double bytes_per_s) {
  constexpr double kBytesPerMegabyte = 1e6;
  return figure_text(bytes_per_s / kBytesPerMegabyte) + " MB/s";
}

std::string delay_text(double seconds) {
  constexpr std::array<std::string_view, 3> kUnits{"us", "ms", "s"};
  constexpr double kPerSecond = 1e6;
  constexpr double kStep = 1000;
  return scaled_text(seconds * kPerSecond, kStep, kUnits);
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
