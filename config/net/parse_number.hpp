// Parses a number that is the whole of a text. Thread-safety: a function without state.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace echod {

// Returns nothing if `text` is empty, holds anything else, such as a space or a plus sign, or is
// out of the range of `Number`.
template <typename Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) noexcept {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  return error == std::errc{} && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace echod
