#include "client/options/option_values.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "client/text/units.hpp"

namespace echod::client {

namespace {

// "p99", "p99.9" or "max"; returns the percentage.
std::optional<double> parse_percentile(std::string_view text) {
  constexpr double kAll = 100;
  if (text == "max") {
    return kAll;
  }
  double percent = 0;
  const char* const end = text.data() + text.size();
  if (!text.starts_with('p')) {
    return std::nullopt;
  }
  const auto [stop, error] = std::from_chars(text.data() + 1, end, percent);
  const bool is_percent = error == std::errc{} && stop == end && percent > 0 && percent < kAll;
  return is_percent ? std::optional(percent) : std::nullopt;
}

// "0.1%"; returns 0.1.
std::optional<double> parse_percent(std::string_view text) {
  constexpr double kAll = 100;
  if (!text.ends_with('%')) {
    return std::nullopt;
  }
  double percent = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data(), end, percent);
  const bool is_percent = error == std::errc{} && stop == end && percent >= 0 && percent <= kAll;
  return is_percent ? std::optional(percent) : std::nullopt;
}

}  // namespace

std::optional<RateSteps> parse_steps(std::string_view value) {
  constexpr std::size_t kMostSteps = 100;
  constexpr double kRounding = 1e-9;
  const std::size_t first = value.find(':');
  const std::size_t second = value.find(':', std::min(first, value.size() - 1) + 1);
  const std::size_t at = value.find('@');
  if (second == std::string_view::npos || at == std::string_view::npos || at < second) {
    return std::nullopt;
  }
  const auto from = parse_rate(value.substr(0, first));
  const auto to = parse_rate(value.substr(first + 1, second - first - 1));
  const auto by = parse_rate(value.substr(second + 1, at - second - 1));
  const auto time = parse_duration(value.substr(at + 1));
  if (!from || !to || !by || !time || *from > *to || *time < kShortestTime ||
      *time > kLongestTime) {
    return std::nullopt;
  }
  const double further = std::floor((*to - *from) / *by * (1 + kRounding));
  if (further >= kMostSteps) {
    return std::nullopt;
  }
  RateSteps steps{.rates_per_s = {}, .time = *time};
  for (std::size_t step = 0; step <= static_cast<std::size_t>(further); ++step) {
    steps.rates_per_s.push_back(*from + static_cast<double>(step) * *by);
  }
  return steps;
}

std::optional<Limit> parse_limit(std::string_view value) {
  constexpr std::string_view kRate = "rate>=";
  constexpr std::string_view kErrors = "errors<=";
  constexpr std::string_view kLoss = "loss=";
  Limit limit{.text = std::string(value)};
  if (value.starts_with(kRate)) {
    const auto rate = parse_rate(value.substr(kRate.size()));
    limit.kind = Limit::Kind::rate;
    limit.number = rate.value_or(0);
    return rate ? std::optional(limit) : std::nullopt;
  }
  if (value.starts_with(kErrors)) {
    const auto errors = parse_count(value.substr(kErrors.size()));
    limit.kind = Limit::Kind::errors;
    limit.number = static_cast<double>(errors.value_or(0));
    return errors ? std::optional(limit) : std::nullopt;
  }
  if (value.starts_with(kLoss)) {
    const auto percent = parse_percent(value.substr(kLoss.size()));
    limit.kind = Limit::Kind::loss;
    limit.number = percent.value_or(0);
    return percent ? std::optional(limit) : std::nullopt;
  }
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) {
    return std::nullopt;
  }
  const auto percent = parse_percentile(value.substr(0, equals));
  limit.percent = percent.value_or(0);
  limit.most = parse_duration(value.substr(equals + 1)).value_or(std::chrono::nanoseconds(0));
  const bool is_limit = percent && limit.most > std::chrono::nanoseconds(0);
  return is_limit ? std::optional(limit) : std::nullopt;
}

}  // namespace echod::client
