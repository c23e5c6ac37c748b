// Parses numbers with units. All functions return empty if the text has another form.
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace echod::client {

// "64", "10k", "1.5M"; k is 1000. From 1e-6 (one in eleven days) to 1e8 per second.
[[nodiscard]] std::optional<double> parse_rate(std::string_view text) noexcept;
// "64", "10k", "1.5M"; k is 1000. A whole number, from 0 to 1e15.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;
// "64", "16k", "1M"; k is 1024. A whole number, from 0 to 1e15.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;
// "64" or "64-4k": one size or a range. Returns the smallest and the largest size.
[[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_bytes_range(
    std::string_view text) noexcept;
// "10s", "500ms", "20us", "2m". A number without a unit is in seconds.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_duration(
    std::string_view text) noexcept;

}  // namespace echod::client
