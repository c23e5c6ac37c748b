#include "service/recent_lines.hpp"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <memory>
#include <string>

namespace echod::test {
namespace {

class RecentLinesTest : public testing::Test {
 protected:
  std::shared_ptr<RecentLines> lines_ = std::make_shared<RecentLines>();
  spdlog::logger logger_{"test", lines_};
};

TEST_F(RecentLinesTest, KeepsWarningsAndErrorsAsTheLogFileShowsThem) {
  logger_.info("nothing");
  logger_.warn("a warning");
  logger_.error("an error");
  const auto lines = lines_->lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(lines[0].ends_with(" - network-server - WARNING - a warning")) << lines[0];
  EXPECT_TRUE(lines[1].ends_with(" - network-server - ERROR - an error")) << lines[1];
}

TEST_F(RecentLinesTest, ForgetsTheOldestLines) {
  for (std::size_t i = 0; i < RecentLines::kLines + 3; ++i) {
    logger_.warn("line {}", i);
  }
  const auto lines = lines_->lines();
  ASSERT_EQ(lines.size(), RecentLines::kLines);
  EXPECT_TRUE(lines.front().ends_with("line 3"));
  EXPECT_TRUE(lines.back().ends_with("line " + std::to_string(RecentLines::kLines + 2)));
}

TEST_F(RecentLinesTest, CutsALongLine) {
  logger_.warn(std::string(RecentLines::kLongestText + 100, 'x'));
  const std::string line = lines_->lines().at(0);
  EXPECT_EQ(line.size() - line.find('x'), RecentLines::kLongestText);
}

}  // namespace
}  // namespace echod::test
