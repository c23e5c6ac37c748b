#include "client/stream/load_error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace echod::client {
namespace {

TEST(LoadErrorTest, EachErrorHasItsOwnName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    names.insert(name_of(static_cast<LoadError>(i)));
  }
  EXPECT_EQ(names.size(), kLoadErrors);
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(name_of(LoadError::corrupted), "corrupted");
  EXPECT_EQ(name_of(LoadError::unsolicited), "unsolicited");
  EXPECT_EQ(name_of(LoadError::truncated), "truncated");
  EXPECT_EQ(name_of(LoadError::connect_failed), "connect_failed");
}

TEST(LoadErrorTest, WrongAndMissingBytesAreMismatchesAndNothingElseIs) {
  for (const LoadError error :
       {LoadError::corrupted, LoadError::lost, LoadError::duplicated, LoadError::reordered,
        LoadError::crossed, LoadError::unsolicited, LoadError::truncated}) {
    EXPECT_TRUE(is_mismatch(error)) << name_of(error);
  }
  for (const LoadError error :
       {LoadError::closed_early, LoadError::reset, LoadError::stalled, LoadError::refused,
        LoadError::connect_timeout, LoadError::no_local_port, LoadError::connect_failed}) {
    EXPECT_FALSE(is_mismatch(error)) << name_of(error);
  }
}

}  // namespace
}  // namespace echod::client
