#include "service/config_loader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "config/config_errors.hpp"
#include "loop/event_loop.hpp"

namespace echod::test {
namespace {

class ConfigLoaderTest : public testing::Test {
 protected:
  static std::string nothing_changed(ReloadMode /*mode*/) { return ""; }
  // Runs the loop until there are this many results.
  void run_until(std::size_t results) {
    while (results_.size() < results) {
      loop_.run_once();
    }
  }
  std::function<void(LoadedConfig)> keep() {
    return [this](LoadedConfig loaded) {
      EXPECT_EQ(std::this_thread::get_id(), main_);
      results_.push_back(std::move(loaded));
    };
  }

  const std::thread::id main_ = std::this_thread::get_id();
  EventLoop loop_;
  std::vector<LoadedConfig> results_;
};

TEST_F(ConfigLoaderTest, ReadsInAnotherThreadAndReportsInTheLoop) {
  ConfigLoader loader(
      loop_, nothing_changed,
      [this] {
        EXPECT_NE(std::this_thread::get_id(), main_);
        Config config;
        config.workers = 7;
        return config;
      },
      keep());
  loader.load();
  run_until(1);
  ASSERT_TRUE(results_.front().config);
  EXPECT_EQ(results_.front().config->workers, 7U);
  EXPECT_FALSE(loader.is_loading());
}

TEST_F(ConfigLoaderTest, DoesNotReadWithAChangedProgram) {
  ConfigLoader loader(
      loop_, [](ReloadMode /*mode*/) { return "the program has changed"; },
      []() -> Config {
        ADD_FAILURE() << "only the new program can read its configuration";
        return {};
      },
      keep());
  loader.load();
  run_until(1);
  EXPECT_EQ(results_.front().program_change, "the program has changed");
  EXPECT_FALSE(results_.front().config);
  EXPECT_TRUE(results_.front().errors.empty());
}

TEST_F(ConfigLoaderTest, ReportsErrors) {
  ConfigLoader loader(
      loop_, nothing_changed,
      []() -> Config {
        throw ConfigErrors({"one", "two"}, ConfigErrors::Position::none);
      },
      keep());
  loader.load();
  run_until(1);
  EXPECT_FALSE(results_.front().config);
  EXPECT_EQ(results_.front().errors, (std::vector<std::string>{"one", "two"}));
}

TEST_F(ConfigLoaderTest, WithoutMemoryHasNeitherAConfigurationNorAnError) {
  ConfigLoader loader(
      loop_, nothing_changed, []() -> Config { throw std::bad_alloc(); }, keep());
  loader.load();
  run_until(1);
  EXPECT_FALSE(results_.front().config);
  EXPECT_TRUE(results_.front().errors.empty());
}

TEST_F(ConfigLoaderTest, LoadsOnceMoreForAllRequestsDuringALoad) {
  std::promise<void> gate;
  std::atomic<unsigned> reads{0};
  ConfigLoader loader(
      loop_, nothing_changed,
      [&] {
        if (reads == 0) {
          gate.get_future().wait();
        }
        Config config;
        config.workers = ++reads;
        return config;
      },
      keep());
  loader.load();
  loader.load();
  loader.load();
  EXPECT_TRUE(loader.is_loading());
  gate.set_value();
  run_until(2);
  EXPECT_EQ(reads, 2U);
  EXPECT_EQ(results_.back().config->workers, 2U);
  EXPECT_FALSE(loader.is_loading());
  loader.load();
  run_until(3);
  EXPECT_EQ(results_.back().config->workers, 3U);
}

TEST_F(ConfigLoaderTest, OneForcedLoadFollowsIfAnyRequestDuringALoadWasForced) {
  std::promise<void> gate;
  std::vector<ReloadMode> modes;  // Of the loader's thread while it runs.
  ConfigLoader loader(
      loop_,
      [&](ReloadMode mode) {
        if (modes.empty()) {
          gate.get_future().wait();
        }
        modes.push_back(mode);
        return std::string();
      },
      [] { return Config(); }, keep());
  loader.load();
  loader.load(ReloadMode::as_needed);
  loader.load(ReloadMode::forced);
  loader.load(ReloadMode::as_needed);
  EXPECT_TRUE(loader.is_next_load_pending());
  gate.set_value();
  run_until(2);
  EXPECT_EQ(modes, (std::vector{ReloadMode::as_needed, ReloadMode::forced}));
  EXPECT_EQ(results_[0].mode, ReloadMode::as_needed);
  EXPECT_EQ(results_[1].mode, ReloadMode::forced);
  loader.load();
  run_until(3);
  EXPECT_EQ(results_[2].mode, ReloadMode::as_needed);
}

}  // namespace
}  // namespace echod::test
