// A bound on how deep a TOML text can nest, for a parser that descends by recursion and has a bound
// of its own for arrays and inline tables only: a key or header of a great many parts would
// overflow its stack.
// Thread-safety: a function without state.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace echod {

// No configuration has so many: a key has two parts, and few values are fractions.
inline constexpr std::size_t kMaxTomlDots = 1000;

struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;  // In bytes.
};

// Where the text has one dot too many, outside strings and comments; nothing if it has no more than
// kMaxTomlDots. It has no more tables within tables by dotted names than that, then.
[[nodiscard]] std::optional<TextPosition> dot_too_many(std::string_view text) noexcept;

}  // namespace echod
