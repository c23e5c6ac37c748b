#include "client/report/html_page.hpp"

#include <gtest/gtest.h>

namespace echod::client {
namespace {

TEST(HtmlPageTest, ATableHasHeadingsInTheFirstRowAndColumn) {
  EXPECT_EQ(table({{"", "a<b"}, {"c", "d"}}),
            "<div class=\"wide\"><table><tr><th></th><th>a&lt;b</th></tr>\n"
            "<tr><th>c</th><td>d</td></tr>\n</table>\n</div>\n");
}

}  // namespace
}  // namespace echod::client
