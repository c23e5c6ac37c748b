// Compares config/echod.toml and echod.toml(5) with the table of keys.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "files.hpp"

namespace echod {
namespace {

using Lines = std::vector<std::string>;

constexpr const char* kShippedFile = ECHOD_SOURCE_DIR "/config/echod.toml";
constexpr const char* kManPage = ECHOD_SOURCE_DIR "/docs/man/echod.toml.5";

Lines lines_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  Lines lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::string default_text(const Key& key) {
  return value_text(key.member.get(Config{}, 0));
}

// The line that both documents have for each key.
std::string facts(const Key& key) {
  return "Allowed: " + allowed_text(key.allowed) + "; default: " + default_text(key) +
         "; applied by: " + (key.reload == Reload::at_once ? "reload." : "upgrade in place.");
}

// The header above the keys of a section.
struct Headers {
  std::string file;
  std::string man_page;
};

Headers headers(std::string_view section) {
  if (section == kTopSection) {
    return {"", ".SS Before the first section"};
  }
  const std::string name(section);
  const std::string header = section == kListenSection ? "[[" + name + "]]" : "[" + name + "]";
  return {header, ".SS " + header};
}

// The text between the line `header` (the first line if `header` is empty) and the next header.
Lines part(const Lines& lines, const std::string& header, std::string_view any_header) {
  const auto begin = header.empty() ? lines.begin() : std::find(lines.begin(), lines.end(), header);
  if (begin == lines.end()) {
    ADD_FAILURE() << header << " is missing";
    return {};
  }
  EXPECT_TRUE(header.empty() || std::count(lines.begin(), lines.end(), header) == 1) << header;
  return {begin + 1, std::find_if(begin + 1, lines.end(), [any_header](const std::string& line) {
            return line.starts_with(any_header);
          })};
}

TEST(ShippedConfigFile, LoadsToTheDefaults) {
  EXPECT_EQ(parse_config(test::read_file(kShippedFile), kShippedFile), Config{});
}

TEST(ShippedConfigFile, HasEveryKeyOnceWithItsRangeItsDefaultAndHowItIsApplied) {
  const Lines lines = lines_of(kShippedFile);
  for (const Key& key : config_keys()) {
    const Lines section = part(lines, headers(key.section).file, "[");
    const std::string setting = std::string(key.name) + " = " + default_text(key);
    const auto found = std::find(section.begin(), section.end(), setting);
    ASSERT_NE(found, section.end()) << key.section << ' ' << setting;
    EXPECT_EQ(std::count(section.begin(), section.end(), setting), 1) << setting;
    ASSERT_NE(found, section.begin());
    EXPECT_EQ(*(found - 1), "# " + facts(key)) << key.dotted_name();
  }
}

TEST(ShippedConfigFile, HasNoOtherSettings) {
  const Lines lines = lines_of(kShippedFile);
  const auto settings = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return !line.empty() && line.front() != '#' && line.front() != '[';
  });
  EXPECT_EQ(static_cast<std::size_t>(settings), config_keys().size());
}

TEST(ManPageOfTheConfigFile, HasEveryKeyOnceWithItsRangeItsDefaultAndHowItIsApplied) {
  Lines lines = lines_of(kManPage);
  for (std::string& line : lines) {
    for (auto at = line.find("\\-"); at != std::string::npos; at = line.find("\\-", at)) {
      line.erase(at, 1);  // roff writes a minus sign as "\-".
    }
  }
  for (const Key& key : config_keys()) {
    const Lines section = part(lines, headers(key.section).man_page, ".S");
    const Lines item = part(section, ".B " + std::string(key.name), ".TP");
    EXPECT_EQ(std::count(item.begin(), item.end(), facts(key)), 1) << key.dotted_name();
  }
}

TEST(ManPageOfTheConfigFile, HasNoOtherKeys) {
  const Lines lines = lines_of(kManPage);
  const auto items = std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with(".B ");  // In the text, bold words are \\fB...\\fR.
  });
  EXPECT_EQ(static_cast<std::size_t>(items), config_keys().size());
}

}  // namespace
}  // namespace echod
