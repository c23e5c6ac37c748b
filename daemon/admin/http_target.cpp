#include "admin/http_target.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "config/toml_value.hpp"

namespace echod {

namespace {

int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  const char lower = static_cast<char>(digit | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Returns nothing for an escape without two hexadecimal digits.
std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return std::nullopt;
    }
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

// Removes and returns the text up to the first `separator`, or all.
std::string_view take_part(std::string_view& text, char separator) noexcept {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// Decodes `text` to `result`; returns nullptr, or why it is refused.
const char* decode(std::string_view text, std::string& result) {
  std::optional<std::string> plain = decoded(text);
  if (!plain) {
    return "a % in the target is not followed by two hexadecimal digits";
  }
  if (one_line(*plain, plain->size()) != *plain) {
    return "the target has a control character or is not UTF-8";
  }
  result = std::move(*plain);
  return nullptr;
}

}  // namespace

const char* parse_target(std::string_view target, HttpRequest& request) {
  if (!target.starts_with('/') || target.find('#') != std::string_view::npos) {
    return "the target must be a path that begins with /";
  }
  std::string_view query = target;
  if (const char* const refused = decode(take_part(query, '?'), request.path)) {
    return refused;
  }
  while (!query.empty()) {
    std::string_view value = take_part(query, '&');
    if (value.empty()) {
      continue;
    }
    auto& [name, decoded_value] = request.query.emplace_back();
    for (const char* const refused :
         {decode(take_part(value, '='), name), decode(value, decoded_value)}) {
      if (refused != nullptr) {
        return refused;
      }
    }
  }
  return nullptr;
}

}  // namespace echod
