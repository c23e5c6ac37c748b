// The parts of a page of HTML that needs no other file: no script, no font, no picture. It is XML
// at the same time.
// Thread-safety: functions without state.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace echod::client {

// `text` as it stands between tags, or in an attribute.
[[nodiscard]] std::string escaped(const std::string& text);

// <name class="style">inside</name>
[[nodiscard]] std::string element(const std::string& name, const std::string& style,
                                  const std::string& inside);

// The first row, and the first cell of each, are headings. Cells are plain text.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows);

// Two columns, of which the first are headings.
[[nodiscard]] std::string pairs(const std::vector<std::pair<std::string, std::string>>& rows);

// `body` is HTML.
[[nodiscard]] std::string page(const std::string& title, const std::string& body);

}  // namespace echod::client
