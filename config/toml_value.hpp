// A TOML scalar and its text: in a dump, which must read back as the same value, and in a message,
// which must be one short line whatever the input is.
//
// Thread-safety: functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace echod {

// Is moved, not copied: with libstdc++ 12 a copy of a variant with a string has undefined behaviour
// if memory runs out.
using Value = std::variant<bool, std::int64_t, double, std::string>;

inline constexpr std::size_t kShownBytes = 64;  // The longest string shown in a message.

// "an integer", "a string", ...
[[nodiscard]] std::string_view type_name(const Value& value) noexcept;

// The value in TOML syntax. A string longer than `max_bytes` is cut, and "..." follows the closing
// quote.
[[nodiscard]] std::string value_text(const Value& value,
                                     std::size_t max_bytes = std::string_view::npos);

// A number without an exponent: 0.1, 65535, 1000000; never 1e+06.
[[nodiscard]] std::string number_text(double number);

// A key for a message, with quotes only if it needs them.
[[nodiscard]] std::string key_text(std::string_view key);

// `text` on one line: control characters and bytes that are not UTF-8 are escaped, and the text
// after `max_bytes` is replaced by "...".
[[nodiscard]] std::string one_line(std::string_view text, std::size_t max_bytes);

// "a, b, c".
template <typename Names>
[[nodiscard]] std::string joined(const Names& names, std::string_view separator = ", ") {
  std::string text;
  for (const std::string_view name : names) {
    text.append(text.empty() ? "" : separator).append(name);
  }
  return text;
}

// The name of a file in a message.
[[nodiscard]] std::string shown_name(std::string_view path);

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace echod
