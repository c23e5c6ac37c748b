#include "config/toml_depth.hpp"

#include <algorithm>

namespace echod {

namespace {

// The length of the string that `text` begins with (TOML 1.0, "String"), its quotes included. One
// that is not closed, which is an error to the parser, ends with its line or with the text.
std::size_t string_length(std::string_view text) noexcept {
  const char quote = text.front();
  const bool has_escapes = quote == '"';
  const bool is_multi_line = text.size() >= 3 && text[1] == quote && text[2] == quote;
  const std::size_t quotes = is_multi_line ? 3 : 1;
  std::size_t run = 0;  // Quotes in a row.
  for (std::size_t at = quotes; at < text.size(); ++at) {
    run = text[at] == quote ? run + 1 : 0;
    if (run == quotes) {
      // Up to two quotes more belong to a string of several lines.
      const std::size_t rest = is_multi_line ? 2 : 0;
      const std::size_t end = text.find_first_not_of(quote, at + 1);
      return std::min({end, text.size(), at + 1 + rest});
    }
    if (text[at] == '\n' && !is_multi_line) {
      return at;
    }
    if (text[at] == '\\' && has_escapes) {
      ++at;
    }
  }
  return text.size();
}

// The length of what `text` begins with, if that is a string or a comment; else 0.
std::size_t opaque_length(std::string_view text) noexcept {
  switch (text.front()) {
    case '"':
    case '\'':
      return string_length(text);
    case '#':
      return std::min(text.find('\n'), text.size());
    default:
      return 0;
  }
}

TextPosition position_of(std::string_view text, std::size_t at) noexcept {
  const std::string_view before = text.substr(0, at);
  const std::size_t line_start = before.rfind('\n') + 1;  // 0 on the first line: npos wraps.
  return {.line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')),
          .column = 1 + at - line_start};
}

}  // namespace

std::optional<TextPosition> dot_too_many(std::string_view text) noexcept {
  std::size_t dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '.' && ++dots > kMaxTomlDots) {
      return position_of(text, at);
    }
    at += std::max<std::size_t>(opaque_length(text.substr(at)), 1);
  }
  return std::nullopt;
}

}  // namespace echod
