// Numbers, bytes and errors as people read them.
// Thread-safety: functions without state.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace echod::client {

inline constexpr std::uint64_t kKib = 1024;
inline constexpr std::uint64_t kMib = 1024 * kKib;
inline constexpr double kMega = 1e6;
inline constexpr double kPercent = 100;

// Three digits at most, in the unit that fits: "31.4 us", "3.2 ms", "5 s".
[[nodiscard]] std::string duration_text(std::chrono::nanoseconds duration);
// Likewise: "12 bytes", "64 KiB", "1.5 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
// Exact: "1 byte", "65536 bytes".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// With groups of three: "1 234 567".
[[nodiscard]] std::string count_text(std::uint64_t count);
// With so many decimals.
[[nodiscard]] std::string number_text(double number, int decimals);
// A number that may be large or small: "12 346", "9.5", "0.33".
[[nodiscard]] std::string short_number_text(double number);
// "410 MB/s", of 1 000 000 bytes.
[[nodiscard]] std::string rate_text(std::uint64_t bytes, std::chrono::nanoseconds duration);

// "0x1f".
[[nodiscard]] std::string hex_text(std::byte byte);
// The first bytes between quotes, what is not printable as in C, and "..." if there are more:
// "GET \r\n\x00"...
[[nodiscard]] std::string preview(std::span<const std::byte> bytes);

// `text` with its control characters as in C: on one line, whatever it quotes.
[[nodiscard]] std::string one_line(std::string_view text);

// What errno stands for.
[[nodiscard]] std::string errno_text(int error);

// Of an even number of values the lower one in the middle; 0 of none.
[[nodiscard]] std::chrono::nanoseconds median(std::vector<std::chrono::nanoseconds> values);

}  // namespace echod::client
