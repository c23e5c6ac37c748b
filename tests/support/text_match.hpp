// POSIX extended regular expressions (regex(7)). <regex> is not used: it adds seconds to the build,
// and causes warnings with the sanitizers of GCC 12.
#pragma once

#include <regex.h>

#include <stdexcept>
#include <string>

namespace echod::test {

// Returns whether `text` contains a match of `pattern`. Use ^ and $ to match the whole text.
[[nodiscard]] inline bool matches(const std::string& text, const std::string& pattern) {
  regex_t compiled;
  if (regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    throw std::invalid_argument("no regular expression: " + pattern);
  }
  const bool is_found = regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return is_found;
}

}  // namespace echod::test
