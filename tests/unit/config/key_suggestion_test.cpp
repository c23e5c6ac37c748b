#include "config/key_suggestion.hpp"

#include <gtest/gtest.h>

#include <string>

#include "config/config_keys.hpp"

namespace echod {
namespace {

TEST(KeySuggestion, FindsAKeyWithALetterMissingAddedReplacedOrSwapped) {
  EXPECT_EQ(unknown_key_text("limits", "max_conections"),
            "unknown key, did you mean limits.max_connections?");
  EXPECT_EQ(unknown_key_text("limits", "max_connectionss"),
            "unknown key, did you mean limits.max_connections?");
  EXPECT_EQ(unknown_key_text("limits", "max-connections"),
            "unknown key, did you mean limits.max_connections?");
  EXPECT_EQ(unknown_key_text("listen", "prot"), "unknown key, did you mean listen.port?");
}

TEST(KeySuggestion, FindsAKeyWithoutItsUnitOrWithAnother) {
  EXPECT_EQ(unknown_key_text("timeouts", "idle"), "unknown key, did you mean timeouts.idle_s?");
  EXPECT_EQ(unknown_key_text("timeouts", "stalled_write"),
            "unknown key, did you mean timeouts.stalled_write_s?");
  EXPECT_EQ(unknown_key_text("timeouts", "idle_ms"), "unknown key, did you mean timeouts.idle_s?");
  EXPECT_EQ(unknown_key_text("buffers", "total_kib"),
            "unknown key, did you mean buffers.total_mib?");
}

TEST(KeySuggestion, FindsAKeyThatBelongsToAnotherSection) {
  EXPECT_EQ(unknown_key_text("limits", "idle_s"), "unknown key, did you mean timeouts.idle_s?");
  EXPECT_EQ(unknown_key_text("", "port"), "unknown key, did you mean listen.port?");
}

// This name is three edits from both keys.
TEST(KeySuggestion, PrefersTheSectionOfTheNameIfTwoKeysAreEquallyNear) {
  EXPECT_EQ(unknown_key_text("buffers", "totes_gib"),
            "unknown key, did you mean buffers.total_mib?");
  EXPECT_EQ(unknown_key_text("turn", "totes_gib"), "unknown key, did you mean turn.bytes_kib?");
}

TEST(KeySuggestion, PrefersANearerKeyToTheSectionOfTheName) {
  EXPECT_EQ(unknown_key_text("turn", "totel_gib"), "unknown key, did you mean buffers.total_mib?");
}

TEST(KeySuggestion, FindsEveryKeyWithALetterTooMany) {
  for (const Key& key : config_keys()) {
    const std::string typo = "x" + std::string(key.name);
    EXPECT_EQ(unknown_key_text(key.section, typo),
              "unknown key, did you mean " + key.dotted_name() + "?");
  }
}

TEST(KeySuggestion, ListsTheKnownKeysIfNoneIsNear) {
  EXPECT_EQ(unknown_key_text("turn", "colour"),
            "unknown key, known keys are bytes_kib, reads, accepts");
  EXPECT_EQ(unknown_key_text("listen", "host"),
            "unknown key, known keys are protocol, address, port, backlog, v6only, path, mode, "
            "owner, group");
  EXPECT_EQ(unknown_key_text("", "colour"),
            "unknown key, known keys are workers, busy_poll_us, known sections are listen, limits, "
            "buffers, turn, timeouts, socket, log, admin");
}

TEST(KeySuggestion, FindsTheNearestSection) {
  EXPECT_EQ(unknown_section_text("limit"), "unknown section, did you mean limits?");
  EXPECT_EQ(unknown_section_text("listener"), "unknown section, did you mean listen?");
  EXPECT_EQ(unknown_section_text("logs"), "unknown section, did you mean log?");
  EXPECT_EQ(unknown_section_text("metrics"),
            "unknown section, known sections are listen, limits, buffers, turn, timeouts, socket, "
            "log, admin");
}

TEST(KeySuggestion, IsQuickAboutNamesOfAnyLength) {
  const std::string huge(1 << 20, 'a');
  EXPECT_EQ(unknown_key_text("turn", huge),
            "unknown key, known keys are bytes_kib, reads, accepts");
  EXPECT_EQ(unknown_key_text("turn", ""), "unknown key, known keys are bytes_kib, reads, accepts");
}

}  // namespace
}  // namespace echod
