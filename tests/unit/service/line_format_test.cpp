#include "service/line_format.hpp"

#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>

namespace echod::test {
namespace {

std::string line_of(spdlog::level::level_enum level, spdlog::formatter& formatter) {
  std::tm local{};
  local.tm_year = 2026 - 1900;
  local.tm_mon = 10;
  local.tm_mday = 21;
  local.tm_hour = 2;
  local.tm_min = 50;
  local.tm_sec = 20;
  local.tm_isdst = -1;
  const auto time =
      std::chrono::system_clock::from_time_t(std::mktime(&local)) + std::chrono::milliseconds(123);
  spdlog::memory_buf_t line;
  formatter.format({time, {}, "network-server", level, "message"}, line);
  return {line.data(), line.size()};
}

std::string line_of(spdlog::level::level_enum level, LineForm form = LineForm::dated) {
  return line_of(level, *line_format(form));
}

TEST(LineFormatTest, HasTheDocumentedForm) {
  EXPECT_EQ(line_of(spdlog::level::debug),
            "2026-11-21 02:50:20,123 - network-server - DEBUG - message\n");
}

TEST(LineFormatTest, LevelsAreInCapitals) {
  const auto level_of = [](spdlog::level::level_enum level) {
    const std::string line = line_of(level);
    const std::string start = "2026-11-21 02:50:20,123 - network-server - ";
    EXPECT_EQ(line.substr(0, start.size()), start);
    return line.substr(start.size(), line.find(' ', start.size()) - start.size());
  };
  EXPECT_EQ(level_of(spdlog::level::trace), "TRACE");
  EXPECT_EQ(level_of(spdlog::level::info), "INFO");
  EXPECT_EQ(level_of(spdlog::level::warn), "WARNING");
  EXPECT_EQ(level_of(spdlog::level::err), "ERROR");
  EXPECT_EQ(level_of(spdlog::level::critical), "CRITICAL");
}

TEST(LineFormatTest, ForTheJournalHasOnlyPriorityAndMessage) {
  const auto priority_of = [](spdlog::level::level_enum level) {
    return line_of(level, LineForm::journal).substr(0, 3);
  };
  EXPECT_EQ(priority_of(spdlog::level::trace), "<7>");
  EXPECT_EQ(priority_of(spdlog::level::debug), "<7>");
  EXPECT_EQ(priority_of(spdlog::level::info), "<6>");
  EXPECT_EQ(priority_of(spdlog::level::warn), "<4>");
  EXPECT_EQ(priority_of(spdlog::level::err), "<3>");
  EXPECT_EQ(priority_of(spdlog::level::critical), "<2>");
  EXPECT_EQ(line_of(spdlog::level::info, LineForm::journal), "<6>message\n");
}

TEST(LineFormatTest, ACloneFormatsTheSame) {
  const auto copy = line_format(LineForm::dated)->clone();
  EXPECT_EQ(line_of(spdlog::level::warn, *copy),
            "2026-11-21 02:50:20,123 - network-server - WARNING - message\n");
}

TEST(LineFormatTest, TheTimeZoneIsItsOffsetAndItsName) {
  setenv("TZ", "ABC-5:30", 1);
  EXPECT_EQ(time_zone(), "+0530 (ABC)");
  setenv("TZ", "XYZ3", 1);
  EXPECT_EQ(time_zone(), "-0300 (XYZ)");
  unsetenv("TZ");
  tzset();
}

}  // namespace
}  // namespace echod::test
