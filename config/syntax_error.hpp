// The error text for a line that is not TOML. The parser's own text is misleading for a string
// without quotes, because the parser reads its first letters as a boolean or a number.
//
// Thread-safety: a function without state.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace echod {

// Returns the error text for `line`. The parser stopped at `column`, counted from 1, with the text
// `parser_words`. Returns `parser_words` if there is no better text.
[[nodiscard]] std::string syntax_error_text(std::string_view line, std::size_t column,
                                            std::string_view parser_words);

}  // namespace echod
