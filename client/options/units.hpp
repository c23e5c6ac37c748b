// Numbers with units, as a person types them.
// Thread-safety: functions without state. Nothing is returned for what is not wholly of the form.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace echod::client {

// "64", "10k", "1.5M": thousands; above 0, and such that a schedule can follow it (from one in
// eleven days to a hundred in a microsecond).
[[nodiscard]] std::optional<double> parse_rate(std::string_view text) noexcept;
// As parse_rate, but whole, and possibly 0.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;
// "64", "16k", "1M": bytes, 1024 bytes, 1024 * 1024 bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text) noexcept;
// "64" or "64-4k": one size, or the ends of a range that is not empty.
[[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_bytes_range(
    std::string_view text) noexcept;
// "10s", "500ms", "20us", "2m"; a plain number is of seconds.
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_duration(
    std::string_view text) noexcept;

}  // namespace echod::client
