#include "config/user_id.hpp"

#include <gtest/gtest.h>

#include <string>

namespace echod {
namespace {

TEST(UserId, IsThatOfANameOrANumber) {
  EXPECT_EQ(user_id("root"), 0U);
  EXPECT_EQ(group_id("root"), 0U);
  EXPECT_EQ(user_id("0"), 0U);
  EXPECT_EQ(user_id("4711"), 4711U) << "also without such a user";
  EXPECT_EQ(group_id("4294967294"), 4294967294U);
}

TEST(UserId, IsNothingForAnyOtherText) {
  for (const std::string& text :
       {std::string("no-such-name"), std::string(), std::string("-1"), std::string("4294967295"),
        std::string("4294967296"), std::string("0 "), std::string(100'000, 'x')}) {
    EXPECT_EQ(user_id(text), std::nullopt) << text.substr(0, 20);
    EXPECT_EQ(group_id(text), std::nullopt) << text.substr(0, 20);
  }
}

}  // namespace
}  // namespace echod
