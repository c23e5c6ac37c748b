// Checks the values of keys, and writes the error texts.
//
// Thread-safety: functions without state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "config/toml_value.hpp"

namespace echod {

// `seconds` may have a fraction, `integer` may not.
enum class KeyType : std::uint8_t {
  boolean,
  integer,
  seconds,
  level,
  protocol,
  address,
  path,
  socket_path,
  mode,
  user,
  group
};

// Whether values of this type are TOML strings.
[[nodiscard]] bool is_text(KeyType type) noexcept;

// The values that a key may have. The range is for numbers, in the unit of the file.
struct Allowed {
  KeyType type = KeyType::boolean;
  double min = 0;
  double max = 0;
  bool or_zero = false;  // 0 is allowed although it is below `min`.
  bool or_none = false;  // The empty string is allowed too.
};

// The text after "use", such as "0 to 65535".
[[nodiscard]] std::string allowed_text(const Allowed& allowed);

// Replaces the name of a user or group by its number. Leaves other values, and names that are not
// found, as they are. A name is looked up here only, because a second lookup may have another
// result.
void replace_name(Value& value, const Allowed& allowed);

// Returns nothing if `value` is allowed; else an error text that names the allowed values.
[[nodiscard]] std::optional<std::string> value_error_text(const Value& value,
                                                          const Allowed& allowed);

// The error text for a wrong type. `found` describes the value, such as "5 is an integer".
[[nodiscard]] std::string wrong_type_text(std::string_view found, const Allowed& allowed);

[[nodiscard]] std::string_view level_name(LogLevel level) noexcept;
[[nodiscard]] std::optional<LogLevel> parse_level(std::string_view name) noexcept;

[[nodiscard]] std::string_view protocol_name(Protocol protocol) noexcept;
[[nodiscard]] std::optional<Protocol> parse_protocol(std::string_view name) noexcept;

// The mode of a file in octal digits: "0660". Nothing if `text` is anything else.
[[nodiscard]] std::string mode_text(std::uint32_t mode);
[[nodiscard]] std::optional<std::uint32_t> parse_mode(std::string_view text) noexcept;

// Returns nothing if `text` is not an IP address. An IPv4-mapped IPv6 address (::ffff:192.0.2.1)
// becomes the IPv4 address, so that equal listeners compare equal.
[[nodiscard]] std::optional<SocketAddress> parse_address(const std::string& text,
                                                         std::uint16_t port) noexcept;

}  // namespace echod
