#include "config/syntax_error.hpp"

#include <algorithm>

#include "config/config_keys.hpp"

namespace echod {

namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kNumberStarts = "+-.0123456789";

std::string_view trimmed(std::string_view text) noexcept {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);  // npos wraps to 0.
}

// The key named at the end of `text`, which is the text before an equals sign; null if there is no
// such key. The section is not needed, because no two keys have the same name.
const Key* key_at_end_of(std::string_view text) noexcept {
  const auto keys = config_keys();
  const std::string_view name = text.substr(text.find_last_of(" \t.,{[") + 1);
  const auto found =
      std::find_if(keys.begin(), keys.end(), [name](const Key& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

bool starts_with_any(std::string_view text, std::string_view characters) noexcept {
  return characters.find(text.front()) != std::string_view::npos;
}

}  // namespace

std::string syntax_error_text(std::string_view line, std::size_t column,
                              std::string_view parser_words) {
  const std::string_view before = line.substr(0, column - 1);
  const std::size_t equals = before.rfind('=');
  const std::string_view value =
      equals == std::string_view::npos ? "" : trimmed(line.substr(equals + 1));
  if (value.empty() || starts_with_any(value, "=\"'")) {
    return std::string(parser_words);
  }
  const Key* const key = key_at_end_of(trimmed(line.substr(0, equals)));
  const bool is_word = !starts_with_any(value, kNumberStarts);
  if (key == nullptr ? is_word && !starts_with_any(value, "[{") : is_text(key->allowed.type)) {
    constexpr std::string_view kFault = "a string needs quotes";
    return key == nullptr ? std::string(kFault)
                          : std::string(kFault).append(", as in ").append(key->name) + " = " +
                                value_text(key->member.get(Config{}, 0));
  }
  if (!is_word && line.substr(before.size()).starts_with(',')) {
    return "a number has no comma: write 0.5 or 10000";
  }
  if (key != nullptr && is_word && value != "true" && value != "false") {
    return std::string(parser_words) + "; use " + allowed_text(key->allowed);
  }
  return std::string(parser_words);
}

}  // namespace echod
