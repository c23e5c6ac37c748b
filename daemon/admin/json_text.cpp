#include "admin/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include "text/utf8.hpp"

namespace echod {

namespace {

// Only the control characters that printable_utf8() leaves need an escape.
std::string_view escape_of(char character) noexcept {
  switch (character) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return "";
  }
}

void append_quoted(std::string& text, std::string_view value) {
  text += '"';
  for (const char character : printable_utf8(value)) {
    if (const std::string_view escape = escape_of(character); !escape.empty()) {
      text += escape;
    } else {
      text += character;
    }
  }
  text += '"';
}

}  // namespace

JsonText& JsonText::key(std::string_view name) {
  separate();
  append_quoted(text_, name);
  text_ += ':';
  is_first_ = true;
  return *this;
}

std::string JsonText::take() {
  text_ += '\n';
  return std::move(text_);
}

JsonText& JsonText::begin(char bracket) {
  separate();
  text_ += bracket;
  is_first_ = true;
  return *this;
}

JsonText& JsonText::end(char bracket) {
  text_ += bracket;
  is_first_ = false;
  return *this;
}

JsonText& JsonText::raw(std::string_view value) {
  separate();
  text_ += value;
  return *this;
}

// std::to_chars writes the shortest text that is read back as the same number.
JsonText& JsonText::real(double value) {
  if (!std::isfinite(value)) {
    return null();
  }
  constexpr std::size_t kMost = 32;
  std::array<char, kMost> digits{};
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  return raw({digits.data(), static_cast<std::size_t>(written.ptr - digits.data())});
}

JsonText& JsonText::text(std::string_view value) {
  separate();
  append_quoted(text_, value);
  return *this;
}

// Writes the comma before a key, or before a value of an array.
void JsonText::separate() {
  if (!is_first_) {
    text_ += ',';
  }
  is_first_ = false;
}

}  // namespace echod
