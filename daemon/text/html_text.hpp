// Builds HTML that is also well-formed XML.
//
// Thread-safety: stateless functions.
#pragma once

#include <string>
#include <string_view>

namespace echod {

// Escapes `text` for use between tags or in an attribute. Invalid UTF-8 and control characters
// become U+FFFD; see printable_utf8().
[[nodiscard]] std::string escaped_html(std::string_view text);

// <name attributes>inside</name>. `inside` is HTML. `name` and `attributes` are used as they are.
[[nodiscard]] std::string html_element(std::string_view name, std::string_view attributes,
                                       std::string_view inside);

}  // namespace echod
