#include "admin/http_target.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace echod::test {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

HttpRequest parsed_target(std::string_view target) {
  HttpRequest request;
  EXPECT_EQ(parse_target(target, request), nullptr) << target;
  return request;
}

std::string_view refusal_of_target(std::string_view target) {
  HttpRequest request;
  const char* const refused = parse_target(target, request);
  return refused != nullptr ? refused : "";
}

TEST(HttpTargetTest, SplitsPathAndQuery) {
  const HttpRequest request = parsed_target("/connections?network=192.0.2.0/24&sort=&limit=10");
  EXPECT_EQ(request.path, "/connections");
  EXPECT_EQ(request.query, (Query{{"network", "192.0.2.0/24"}, {"sort", ""}, {"limit", "10"}}));
}

TEST(HttpTargetTest, AQueryMayHaveEmptyPartsAndNamesWithoutValues) {
  EXPECT_EQ(parsed_target("/?&&a&=b&c==d&").query, (Query{{"a", ""}, {"", "b"}, {"c", "=d"}}));
  EXPECT_EQ(parsed_target("/?a=?b").query, (Query{{"a", "?b"}}));
  EXPECT_EQ(parsed_target("/?").query, Query{});
  EXPECT_EQ(parsed_target("/").path, "/");
}

TEST(HttpTargetTest, DecodesAfterSplitting) {
  const HttpRequest request = parsed_target("/a%2fb%3F?c%3d%26=%3a%3A+%25%C3%A4");
  EXPECT_EQ(request.path, "/a/b?");
  EXPECT_EQ(request.query, (Query{{"c=&", "::+%\u00e4"}}));
}

TEST(HttpTargetTest, RefusesOtherFormsThanAPath) {
  for (const std::string_view target : {"", "*", "http://localhost/", "metrics", "?a", "/#a"}) {
    EXPECT_EQ(refusal_of_target(target), "the target must be a path that begins with /") << target;
  }
}

TEST(HttpTargetTest, RefusesEscapesWithoutTwoDigits) {
  for (const std::string_view target : {"/%", "/%4", "/%4g", "/%g4", "/%%41", "/?%", "/?a=%1",
                                        "/?a%=b", "/?a&%zz", "/%@0", "/%`0"}) {
    EXPECT_EQ(refusal_of_target(target),
              "a % in the target is not followed by two hexadecimal digits")
        << target;
  }
}

TEST(HttpTargetTest, RefusesControlCharactersAndOtherCodesThanUtf8) {
  for (const std::string_view target : {"/%00", "/a?b=%0a", "/%7F", "/?%1b", "/%C2%85", "/%80",
                                        "/%C3", "/?a=%ff", "/%C0%80", "/%ED%A0%80"}) {
    EXPECT_EQ(refusal_of_target(target), "the target has a control character or is not UTF-8")
        << target;
  }
}

}  // namespace
}  // namespace echod::test
