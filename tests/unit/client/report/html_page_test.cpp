#include "client/report/html_page.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

TEST(HtmlPageTest, EscapesWhatHasAMeaningInHtml) {
  EXPECT_EQ(escaped("a < b && \"c\" > d"), "a &lt; b &amp;&amp; &quot;c&quot; &gt; d");
}

TEST(HtmlPageTest, TextIsWellFormedXml) {
  EXPECT_EQ(escaped("two\nlines"), "two\nlines");
  EXPECT_EQ(escaped(std::string("\x01\t\r\x1F\0", 5)), "\\x01\\t\\r\\x1f\\x00");
  EXPECT_EQ(escaped("\u00FC \u20AC \U0001F600"), "\u00FC \u20AC \U0001F600");
  EXPECT_EQ(escaped("a\xFF\xC3"), "a\uFFFD\uFFFD");
  EXPECT_EQ(escaped("\uFFFE\uFFFF"), "\uFFFD\uFFFD");
}

TEST(HtmlPageTest, ATableHasHeadingsInTheFirstRowAndColumn) {
  EXPECT_EQ(table({{"", "a<b"}, {"c", "d"}}),
            "<div class=\"wide\"><table><tr><th></th><th>a&lt;b</th></tr>\n"
            "<tr><th>c</th><td>d</td></tr>\n</table>\n</div>\n");
}

}  // namespace
}  // namespace echod::client
