// A TOML scalar, and how it is written: in a dump, where it must read back to the same value, and
// in a message, where it must stay on one short line whatever a file or a command line holds.
// Thread-safety: functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace echod {

using Value = std::variant<bool, std::int64_t, double, std::string>;

inline constexpr std::size_t kShownBytes = 64;  // Of a string in a message.

// "an integer", "a string", ...
[[nodiscard]] std::string_view type_name(const Value& value) noexcept;

// As TOML has it. A string longer than `max_bytes` is cut and then ends in "...", outside the
// quotes.
[[nodiscard]] std::string value_text(const Value& value,
                                     std::size_t max_bytes = std::string_view::npos);

// A number as a person writes it: 0.1, 65535, 1000000; never 1e+06.
[[nodiscard]] std::string number_text(double number);

// A key as it is if it needs no quotes, for messages.
[[nodiscard]] std::string key_text(std::string_view key);

// `text` on one line: control characters and bytes that are not UTF-8 are escaped, and what goes
// beyond `max_bytes` is replaced by "...".
[[nodiscard]] std::string one_line(std::string_view text, std::size_t max_bytes);

// The name of a file in a message.
[[nodiscard]] std::string shown_name(std::string_view path);

[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

}  // namespace echod
