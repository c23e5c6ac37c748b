// Writes numbers, bytes and errors for people. text/numbers.hpp has what echod writes too.
// Thread-safety: stateless functions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/numbers.hpp"

namespace echod::client {

inline constexpr std::uint64_t kKib = 1024;
inline constexpr std::uint64_t kMib = 1024 * kKib;
inline constexpr double kMega = 1e6;
inline constexpr double kPercent = 100;

// At most three significant digits, in a suitable unit: "31.4 us", "3.2 ms", "5 s". Whole digits
// are never dropped: "1234 s".
[[nodiscard]] std::string duration_text(std::chrono::nanoseconds duration);
// At most three significant digits, in a suitable unit: "12 bytes", "64 KiB", "1.5 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
// Exact: "1 byte", "65536 bytes".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
using echod::count_text;
using echod::number_text;
// A count with a noun: "1 error", "2 000 errors".
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);
// A number that may be large or small: "12 346", "12.5", "9.50", "0.33". Whole numbers have no
// decimals: "9".
[[nodiscard]] std::string short_number_text(double number);
// "410 MB/s". 1 MB is 1 000 000 bytes.
[[nodiscard]] std::string rate_text(std::uint64_t bytes, std::chrono::nanoseconds duration);

// "0x1f".
[[nodiscard]] std::string hex_text(std::byte byte);
// The first 16 bytes in quotes, with C escapes, and "..." if there are more: "GET \r\n\x00"...
[[nodiscard]] std::string preview(std::span<const std::byte> bytes);

// `text` on one line: control characters are replaced by C escapes.
[[nodiscard]] std::string one_line(std::string_view text);

// The message for an errno.
[[nodiscard]] std::string errno_text(int error);

// The median. With an even number of values, the lower of the two in the middle. 0 without values.
[[nodiscard]] std::chrono::nanoseconds median(std::vector<std::chrono::nanoseconds> values);

}  // namespace echod::client
