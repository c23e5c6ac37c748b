#include "config/toml_value.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace echod {

namespace {

constexpr std::array<std::string_view, std::variant_size_v<Value>> kTypeNames{
    "a boolean", "an integer", "a float", "a string"};

unsigned byte_at(std::string_view text, std::size_t index) noexcept {
  return static_cast<unsigned char>(text[index]);
}

// The length of the UTF-8 sequence (RFC 3629 section 4) at the start of `text`; 0 if it is not
// UTF-8.
std::size_t sequence_length(std::string_view text) noexcept {
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) {
    return 1;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
    return 0;
  }
  // The bounds of the second byte exclude overlong forms, surrogates and code points above
  // U+10FFFF.
  const unsigned lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte_at(text, 1) < lowest || byte_at(text, 1) > highest) {
    return 0;
  }
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte_at(text, i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  return length;
}

std::string hex(std::string_view prefix, unsigned byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return std::string(prefix) + kDigits[byte / 16] + kDigits[byte % 16];
}

// The sequence at the start of `text`, as in a TOML basic string. U+0080 to U+009F are escaped too,
// because terminals treat them like ESC. TOML has no escape for a byte that is not UTF-8: \xNN
// appears in messages only.
std::string escaped(std::string_view text, std::size_t length) {
  const unsigned lead = byte_at(text, 0);
  if (length == 0) {
    return hex("\\x", lead);
  }
  if (lead < 0x20 || lead == 0x7F) {
    return hex("\\u00", lead);
  }
  if (lead == 0xC2 && byte_at(text, 1) < 0xA0) {
    return hex("\\u00", byte_at(text, 1));
  }
  return std::string(text.substr(0, length));
}

// Appends up to `max_bytes` of `text`, with a backslash before each character of `special`. Returns
// whether all of `text` was appended.
bool append_escaped(std::string& out, std::string_view text, std::size_t max_bytes,
                    std::string_view special) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    const std::size_t consumed = std::max<std::size_t>(length, 1);
    if (consumed > max_bytes) {
      return false;
    }
    if (special.find(text.front()) != std::string_view::npos) {
      out += '\\';
    }
    out += escaped(text, length);
    text.remove_prefix(consumed);
    max_bytes -= consumed;
  }
  return true;
}

// A TOML basic string.
std::string quoted(std::string_view text, std::size_t max_bytes) {
  std::string out = "\"";
  const bool is_whole = append_escaped(out, text, max_bytes, "\"\\");
  out += is_whole ? "\"" : "\"...";
  return out;
}

std::string float_text(double number) {
  std::array<char, 32> buffer{};  // The longest text of a double has 24 characters.
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  std::string text(buffer.data(), result.ptr);
  if (text.find_first_not_of("-0123456789") == std::string::npos) {
    text += ".0";  // Otherwise it would read back as an integer.
  }
  return text;
}

}  // namespace

std::string_view type_name(const Value& value) noexcept {
  return kTypeNames[value.index()];
}

std::string value_text(const Value& value, std::size_t max_bytes) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return std::to_string(*integer);
  }
  if (const auto* number = std::get_if<double>(&value)) {
    return float_text(*number);
  }
  return quoted(*std::get_if<std::string>(&value), max_bytes);
}

std::string number_text(double number) {
  std::array<char, 32> buffer{};
  const auto result =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  return {buffer.data(), result.ptr};
}

std::string key_text(std::string_view key) {
  const bool is_bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  return is_bare && key.size() <= kShownBytes ? std::string(key) : quoted(key, kShownBytes);
}

std::string one_line(std::string_view text, std::size_t max_bytes) {
  std::string out;
  if (!append_escaped(out, text, max_bytes, "")) {
    out += "...";
  }
  return out;
}

std::string shown_name(std::string_view path) {
  constexpr std::size_t kMaxBytes = 4096;  // PATH_MAX: no valid name is cut.
  return one_line(path, kMaxBytes);
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace echod
