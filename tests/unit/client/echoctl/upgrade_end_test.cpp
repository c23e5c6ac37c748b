#include "client/echoctl/upgrade_end.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "client/echoctl/exit_codes.hpp"
#include "status_example.hpp"

namespace echod::ctl {
namespace {

using Result = UpgradeEnd::Result;

class UpgradeEndTest : public testing::Test {
 protected:
  [[nodiscard]] std::optional<UpgradeEnd> end() const { return upgrade_end(order_, status_); }
  // The text of the end. The test fails if it has not this result.
  [[nodiscard]] std::string text(Result result) const {
    const auto ended = end();
    EXPECT_TRUE(ended && ended->result == result);
    EXPECT_EQ(ended && ended->is_good(), result == Result::done || result == Result::applied);
    return ended ? upgrade_text(*ended) : "";
  }
  void upgrade() {
    status_.version = "0.2.0";
    status_.upgrades.done = 4;
    status_.upgrades.earlier_version = "0.1.0";
    status_.upgrades.last_connections = 1204;
    status_.upgrades.last_pause_s = 0.031;
    ++status_.config.reloads_applied;
  }
  void refuse(const std::string& why) {
    ++status_.config.reloads_refused;
    status_.config.reload_error = why;
  }

  Status status_ = parse_status(test::status_example().dump());
  UpgradeOrder order_{.started_at = status_.started_at,
                      .reloads_applied = status_.config.reloads_applied,
                      .reloads_refused = status_.config.reloads_refused,
                      .upgrades_done = 3,
                      .upgrades_refused = 0,
                      .upgrades_failed = 0};
};

TEST_F(UpgradeEndTest, HasNotComeWhileAReloadIsInProgress) {
  upgrade();
  status_.config.is_reload_in_progress = true;
  EXPECT_FALSE(end());
  status_.config.is_reload_in_progress = false;
  EXPECT_TRUE(end());
  status_.phase = "starting";
  EXPECT_FALSE(end());
}

TEST_F(UpgradeEndTest, HasNotComeWhileNothingHasChanged) {
  status_.upgrades.done = 3;
  EXPECT_FALSE(end());
}

TEST_F(UpgradeEndTest, SaysWhichProgramReplacedWhich) {
  upgrade();
  EXPECT_EQ(text(Result::done),
            "echod 0.2.0 has replaced echod 0.1.0: 1 204 connections went on after 31 ms");
  status_.upgrades.last_connections = 1;
  EXPECT_EQ(text(Result::done),
            "echod 0.2.0 has replaced echod 0.1.0: 1 connection went on after 31 ms");
}

TEST_F(UpgradeEndTest, SaysThatNoUpgradeWasNeeded) {
  status_.upgrades.done = 3;
  ++status_.config.reloads_applied;
  EXPECT_EQ(text(Result::applied),
            "applied without an upgrade: neither the program nor a key that needs one has changed; "
            "--force upgrades in any case");
}

TEST_F(UpgradeEndTest, SaysWhyTheConfigurationWasRefused) {
  refuse("echod.toml:1:1: nonsense: unknown key");
  EXPECT_EQ(text(Result::refused), "refused: echod.toml:1:1: nonsense: unknown key");
}

TEST_F(UpgradeEndTest, SaysWhyTheNewProgramWasRefusedOrAStepFailed) {
  refuse("upgrade: it exited with code 127");
  status_.upgrades.refused = 1;
  status_.upgrades.last_error = "it exited with code 127";
  EXPECT_EQ(text(Result::refused), "refused: it exited with code 127");
  status_.upgrades.refused = 0;
  status_.upgrades.failed = 1;
  status_.upgrades.last_error = "a worker did not stop within 2 s";
  EXPECT_EQ(text(Result::failed), "failed: a worker did not stop within 2 s");
}

// Another reload may come first.
TEST_F(UpgradeEndTest, IsThatOfTheLastReload) {
  upgrade();
  refuse("echod.toml: no");
  EXPECT_EQ(text(Result::refused), "refused: echod.toml: no");
  status_.config.reload_error = "";
  EXPECT_TRUE(text(Result::done).starts_with("echod 0.2.0 has replaced"));
}

TEST_F(UpgradeEndTest, SaysThatEchodStops) {
  status_.phase = "draining";
  EXPECT_EQ(text(Result::stopped), "stopped: echod stops");
}

TEST_F(UpgradeEndTest, ARestartIsNoUpgrade) {
  upgrade();
  status_.started_at += 1;
  try {
    (void)end();
    ADD_FAILURE();
  } catch (const FatalError& error) {
    EXPECT_EQ(error.code(), ExitCode::unavailable);
    EXPECT_STREQ(error.what(),
                 "echod was started again during the upgrade, so its connections are lost: see its "
                 "log");
  }
}

TEST_F(UpgradeEndTest, HasTheSameMembersInJsonWhateverTheResult) {
  upgrade();
  EXPECT_EQ(
      nlohmann::json::parse(upgrade_json(*end())),
      nlohmann::json::parse(R"({"result": "done", "version": "0.2.0", "earlier_version": "0.1.0",
                            "connections": 1204, "pause_s": 0.031, "error": ""})"));
  refuse("why");
  EXPECT_EQ(
      nlohmann::json::parse(upgrade_json(*end())),
      nlohmann::json::parse(R"({"result": "refused", "version": "0.2.0", "earlier_version": "",
                            "connections": 0, "pause_s": 0.0, "error": "why"})"));
  EXPECT_TRUE(upgrade_json(*end()).ends_with("}\n"));
}

}  // namespace
}  // namespace echod::ctl
