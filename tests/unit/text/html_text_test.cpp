#include "text/html_text.hpp"

#include <gtest/gtest.h>

namespace echod::test {
namespace {

TEST(HtmlTextTest, EscapesWhatHasAMeaningInHtml) {
  EXPECT_EQ(escaped_html("a < b && \"c\" > 'd'"),
            "a &lt; b &amp;&amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(escaped_html("\u00FC \u20AC \U0001F600"), "\u00FC \u20AC \U0001F600");
  EXPECT_EQ(escaped_html("two\nlines\r\n\tand a tab"), "two\nlines&#13;\n\tand a tab");
}

TEST(HtmlTextTest, ReplacesWhatIsNoText) {
  EXPECT_EQ(escaped_html(std::string("\0\x1B[2J\xFF", 6)), "\uFFFD\uFFFD[2J\uFFFD");
  EXPECT_EQ(escaped_html("\uFFFE\uFFFF"), "\uFFFD\uFFFD");
}

TEST(HtmlTextTest, AnElementHasAttributesAndContents) {
  EXPECT_EQ(html_element("p", "", "text"), "<p>text</p>\n");
  EXPECT_EQ(html_element("p", "class=\"soft\"", "<b>x</b>"), "<p class=\"soft\"><b>x</b></p>\n");
}

}  // namespace
}  // namespace echod::test
