#include "admin/json_text.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace echod::test {
namespace {

TEST(JsonTextTest, SeparatesMembersAndElements) {
  JsonText json;
  json.begin_object().member("a", 1).key("b").begin_array();
  json.value(true).value("x").begin_object().end_object().begin_array().end_array().null();
  json.end_array().member("c", false).end_object();
  EXPECT_EQ(json.take(), "{\"a\":1,\"b\":[true,\"x\",{},[],null],\"c\":false}\n");
}

TEST(JsonTextTest, WritesTheWholeRangeOfIntegers) {
  JsonText json;
  json.begin_array()
      .value(std::numeric_limits<std::uint64_t>::max())
      .value(std::numeric_limits<std::int64_t>::min())
      .end_array();
  EXPECT_EQ(json.take(), "[18446744073709551615,-9223372036854775808]\n");
}

TEST(JsonTextTest, NumbersAreReadBackAsTheSame) {
  for (const double number : {0.0, 0.000005, 0.1, 1764400000.123, -1e300, 5e-324}) {
    JsonText json;
    EXPECT_EQ(nlohmann::json::parse(json.value(number).take()).get<double>(), number);
  }
}

TEST(JsonTextTest, NumbersThatJsonCannotExpressAreNull) {
  JsonText json;
  json.begin_array()
      .value(std::numeric_limits<double>::quiet_NaN())
      .value(-std::numeric_limits<double>::infinity())
      .end_array();
  EXPECT_EQ(json.take(), "[null,null]\n");
}

TEST(JsonTextTest, EscapesKeysAndTexts) {
  JsonText json;
  json.begin_object().member("\"k\\", "a\tb\r\n\"\\/").end_object();
  EXPECT_EQ(json.take(), "{\"\\\"k\\\\\":\"a\\tb\\r\\n\\\"\\\\/\"}\n");
}

TEST(JsonTextTest, EveryCharacterGivesValidJson) {
  for (int character = 0; character < 256; ++character) {
    JsonText json;
    const std::string text(3, static_cast<char>(character));
    EXPECT_TRUE(nlohmann::json::accept(json.value(text).take())) << character;
  }
}

}  // namespace
}  // namespace echod::test
