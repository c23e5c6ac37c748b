// The words for a line that is not TOML. The parser's own mislead where a string has no quotes: it
// takes the first letters for those of a boolean or a number.
// Thread-safety: a function without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace echod {

// What is wrong with `line`, on which the parser stopped at `column` (from 1) and said
// `parser_words`. Those are returned if they say it well.
[[nodiscard]] std::string syntax_error_text(std::string_view line, std::size_t column,
                                            std::string_view parser_words);

}  // namespace echod
