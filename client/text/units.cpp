#include "client/text/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace echod::client {

namespace {

struct Unit {
  std::string_view suffix;
  double factor;
};

constexpr std::array kThousands{Unit{"", 1}, Unit{"k", 1e3}, Unit{"M", 1e6}};
constexpr std::array kBinary{Unit{"", 1}, Unit{"k", 1024}, Unit{"K", 1024}, Unit{"M", 1048576}};
constexpr std::array kTimes{Unit{"", 1e9}, Unit{"s", 1e9}, Unit{"ms", 1e6}, Unit{"us", 1e3},
                            Unit{"m", 60e9}};

std::optional<double> parse(std::string_view text, std::span<const Unit> units) noexcept {
  // from_chars() also accepts a sign, "inf" and "nan".
  constexpr std::string_view kFirst = "0123456789.";
  if (text.empty() || kFirst.find(text.front()) == std::string_view::npos) {
    return std::nullopt;
  }
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view suffix(stop, static_cast<std::size_t>(end - stop));
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) {
      return number * unit.factor;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> whole(std::optional<double> number) noexcept {
  constexpr double kMost = 1e15;  // Not far above it, doubles cannot hold every whole number.
  if (!number || *number > kMost) {
    return std::nullopt;
  }
  // In binary, 1.001 * 1000 is not exactly 1001.
  constexpr double kRounding = 4 * std::numeric_limits<double>::epsilon();
  const double nearest = std::round(*number);
  if (std::abs(*number - nearest) > nearest * kRounding) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(nearest);
}

}  // namespace

std::optional<double> parse_rate(std::string_view text) noexcept {
  constexpr double kLeast = 1e-6;
  constexpr double kMost = 1e8;
  const auto rate = parse(text, kThousands);
  return rate && *rate >= kLeast && *rate <= kMost ? rate : std::nullopt;
}

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept {
  return whole(parse(text, kThousands));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept {
  return whole(parse(text, kBinary));
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_bytes_range(
    std::string_view text) noexcept {
  const std::size_t dash = text.find('-');
  const auto first = parse_bytes(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_bytes(text.substr(dash + 1));
  if (!first || !last || *first > *last) {
    return std::nullopt;
  }
  return std::pair(*first, *last);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) noexcept {
  constexpr double kMost = 1e18;  // 30 years.
  const auto nanos = parse(text, kTimes);
  if (!nanos || *nanos > kMost) {
    return std::nullopt;
  }
  return std::chrono::nanoseconds(std::llround(*nanos));
}

}  // namespace echod::client
