// Makes text from outside, such as log lines and names of files, fit for formats that must be valid
// UTF-8.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>
#include <string_view>

namespace echod {

// `text` with U+FFFD instead of each sequence that is not valid UTF-8 (RFC 3629), and of each
// character that XML 1.0 does not allow (section 2.2): U+FFFE, U+FFFF and control characters other
// than tab, newline and carriage return. DEL and the control characters U+0080 to U+009F, which XML
// discourages, are replaced too.
[[nodiscard]] std::string printable_utf8(std::string_view text);

}  // namespace echod
