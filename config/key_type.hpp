// What the values of keys may be: the check, and the words for it.
// Thread-safety: functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config.hpp"
#include "toml_value.hpp"

namespace echod {

// `seconds` may have a fraction, `integer` may not.
enum class KeyType : std::uint8_t { boolean, integer, seconds, level, address, path };

// Whether TOML has values of this type in quotes.
[[nodiscard]] bool is_text(KeyType type) noexcept;

// The values that a key takes; the numbers as they are written, for the types that are numbers.
struct Allowed {
  KeyType type = KeyType::boolean;
  double min = 0;
  double max = 0;
  bool or_zero = false;  // 0 too, though it is below `min`.
};

// In words that follow "allowed are": "0 to 65535".
[[nodiscard]] std::string allowed_text(const Allowed& allowed);

// Nothing if `value` is among those taken; else what is wrong and what is allowed.
[[nodiscard]] std::optional<std::string> fault_of(const Value& value, const Allowed& allowed);

// What to say of the wrong type; `found` is what is there, such as "5 is an integer".
[[nodiscard]] std::string wrong_type_text(std::string_view found, const Allowed& allowed);

[[nodiscard]] std::string_view level_name(LogLevel level) noexcept;
[[nodiscard]] std::optional<LogLevel> parse_level(std::string_view name) noexcept;

// An IPv4 address in IPv6 form (::ffff:192.0.2.1) becomes the IPv4 address, so that listeners which
// are the same are equal.
[[nodiscard]] std::optional<sys::SocketAddress> parse_address(const std::string& text,
                                                              std::uint16_t port) noexcept;

}  // namespace echod
