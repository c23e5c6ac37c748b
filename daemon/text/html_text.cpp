#include "text/html_text.hpp"

#include "text/utf8.hpp"

namespace echod {

std::string escaped_html(std::string_view text) {
  std::string safe;
  for (const char character : printable_utf8(text)) {
    switch (character) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      case '\r':
        safe += "&#13;";  // XML would read it as a newline.
        break;
      default:
        safe += character;
        break;
    }
  }
  return safe;
}

std::string html_element(std::string_view name, std::string_view attributes,
                         std::string_view inside) {
  std::string text = "<";
  text += name;
  if (!attributes.empty()) {
    (text += ' ') += attributes;
  }
  ((text += '>') += inside) += "</";
  (text += name) += ">\n";
  return text;
}

}  // namespace echod
