#include "service/admin_access.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "files.hpp"

namespace echod::test {
namespace {

class AdminAccessTest : public testing::Test {
 protected:
  [[nodiscard]] std::string levels() const {
    const LogSnapshot log = access_.log();
    return log.file_level + ' ' + log.stderr_level;
  }
  // What the service does with a request.
  void apply(const LogLevels& levels) {
    requests_.push_back(levels);
    config_.file_level = levels.file.value_or(config_.file_level);
    config_.stderr_level = levels.stderr_level.value_or(config_.stderr_level);
    logs_.apply(config_);
    while_applied_();
  }

  const TemporaryDirectory directory_;
  LogConfig config_{.file = directory_.file("log"),
                    .file_level = LogLevel::debug,
                    .stderr_level = LogLevel::critical};
  Logs logs_{config_};
  EventLoop loop_;
  Workers workers_{1, echo_settings(Config{}, 100, 1), logs_.logger(),
                   WorkerEvents{.on_ended = [] {}, .on_listener_lost = [](int) {}}};
  std::vector<ReloadMode> reloads_;
  WorkerWatch watch_{loop_, workers_, logs_.notices(), [] {}};
  std::vector<LogLevels> requests_;
  std::function<void()> while_applied_ = [] {};
  AdminAccess access_{loop_,
                      logs_,
                      watch_,
                      {.on_log_levels = [this](const LogLevels& levels) { apply(levels); },
                       .on_drain = [] {},
                       .on_reload = [this](ReloadMode mode) { reloads_.push_back(mode); }}};
};

TEST_F(AdminAccessTest, LevelsCountAsSetFromTheRequestOn) {
  EXPECT_EQ(levels(), "debug critical");
  access_.set_log_levels({.file = LogLevel::info, .stderr_level = {}});
  EXPECT_EQ(levels(), "info critical");
  access_.set_log_levels({.file = {}, .stderr_level = LogLevel::off});
  EXPECT_EQ(levels(), "info off");
  loop_.run_once();
  EXPECT_EQ(levels(), "info off");
  ASSERT_EQ(requests_.size(), 1U);
  EXPECT_EQ(requests_[0], (LogLevels{.file = LogLevel::info, .stderr_level = LogLevel::off}));
}

TEST_F(AdminAccessTest, ARequestDuringAnotherIsCarriedOutNext) {
  while_applied_ = [this] {
    if (requests_.size() == 1) {
      access_.set_log_levels({.file = LogLevel::error, .stderr_level = {}});
    }
  };
  access_.set_log_levels({.file = LogLevel::info, .stderr_level = {}});
  loop_.run_once();
  EXPECT_EQ(levels(), "error critical");
  loop_.run_once();
  EXPECT_EQ(levels(), "error critical");
  ASSERT_EQ(requests_.size(), 2U);
  EXPECT_EQ(requests_[1].file, LogLevel::error);
}

// A reload sets other levels.
TEST_F(AdminAccessTest, ARequestThatWasCarriedOutIsForgotten) {
  access_.set_log_levels({.file = LogLevel::info, .stderr_level = {}});
  loop_.run_once();
  config_.file_level = LogLevel::trace;
  logs_.apply(config_);
  EXPECT_EQ(levels(), "trace critical");
}

TEST_F(AdminAccessTest, AReloadIsInProgressFromItsRequestUntilTheServiceSaysThatItIsOver) {
  EXPECT_FALSE(access_.facts().is_reload_in_progress);
  access_.reload(ReloadMode::as_needed);
  EXPECT_TRUE(access_.facts().is_reload_in_progress);
  loop_.run_once();
  EXPECT_EQ(reloads_, std::vector{ReloadMode::as_needed});
  EXPECT_TRUE(access_.facts().is_reload_in_progress);
  access_.set_reloading(false);
  EXPECT_FALSE(access_.facts().is_reload_in_progress);
}

TEST_F(AdminAccessTest, TheEndOfAnEarlierReloadDoesNotEndOneThatWasRequestedLater) {
  access_.set_reloading(true);
  access_.reload(ReloadMode::as_needed);
  access_.set_reloading(false);
  EXPECT_TRUE(access_.facts().is_reload_in_progress);
}

TEST_F(AdminAccessTest, RequestsToReloadAreMerged) {
  access_.reload(ReloadMode::as_needed);
  access_.reload(ReloadMode::forced);
  access_.reload(ReloadMode::as_needed);
  EXPECT_EQ(access_.requested_reload(), ReloadMode::forced);
  loop_.run_once();
  EXPECT_EQ(reloads_, std::vector{ReloadMode::forced});
  EXPECT_EQ(access_.requested_reload(), std::nullopt);
}

// Another program carries out what was requested before, and nobody else would carry out the rest.
TEST_F(AdminAccessTest, ARequestWaitsWhileRequestsAreHeld) {
  access_.drain();
  access_.hold_requests();
  EXPECT_TRUE(access_.is_drain_requested());
  EXPECT_EQ(access_.requested_reload(), std::nullopt);
  std::future<void> request =
      std::async(std::launch::async, [this] { access_.reload(ReloadMode::forced); });
  EXPECT_EQ(request.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_FALSE(access_.facts().is_reload_in_progress);
  access_.accept_requests();
  request.get();
  EXPECT_EQ(access_.requested_reload(), ReloadMode::forced);
}

}  // namespace
}  // namespace echod::test
