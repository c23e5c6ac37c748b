// Builds an HTML page that needs no other file: no scripts, fonts or images. The page is also
// well-formed XML. escaped_html() (text/html_text.hpp) makes HTML of plain text.
// Thread-safety: stateless functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace echod::client {

// <name class="style">inside</name>
[[nodiscard]] std::string element(const std::string& name, const std::string& style,
                                  const std::string& inside);

// A table whose first row and first column are headings. Cells are plain text.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

// A table of two columns. The first column has headings.
[[nodiscard]] std::string pairs(const std::vector<std::pair<std::string, std::string>>& rows);

// The complete page. `body` is HTML.
[[nodiscard]] std::string page(const std::string& title, const std::string& body);

}  // namespace echod::client
