#include "service/logs.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "allocations.hpp"
#include "deadline.hpp"
#include "files.hpp"

namespace echod::test {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class LogsTest : public testing::Test {
 protected:
  LogsTest() {
    config_.file = directory_.file("network-server.log");
    config_.file_level = LogLevel::debug;
    config_.stderr_level = LogLevel::error;
    unsetenv("LOGS_DIRECTORY");
    testing::internal::CaptureStderr();
    logs_.emplace(config_);
  }
  ~LogsTest() override {
    if (logs_) {
      (void)finish();
    }
    unsetenv("LOGS_DIRECTORY");
  }

  // Writes the queued lines; returns what was written to standard error.
  std::string finish() {
    logs_.reset();
    return testing::internal::GetCapturedStderr();
  }
  [[nodiscard]] std::string file() const { return read_file(config_.file); }

  const TemporaryDirectory directory_;
  LogConfig config_;
  std::optional<Logs> logs_;
};

TEST_F(LogsTest, EachSinkWritesTheLinesOfItsLevel) {
  logs_->logger()->trace("a trace");
  logs_->logger()->debug("a detail");
  logs_->logger()->error("a failure");
  const std::string err = finish();
  EXPECT_FALSE(contains(err, "a detail"));
  EXPECT_TRUE(contains(err, " - network-server - ERROR - a failure\n"));
  EXPECT_FALSE(contains(file(), "a trace"));
  EXPECT_TRUE(contains(file(), " - network-server - DEBUG - a detail\n"));
  EXPECT_TRUE(contains(file(), " - network-server - ERROR - a failure\n"));
}

TEST_F(LogsTest, NoticesShowOnStandardErrorWhateverItsLevel) {
  config_.stderr_level = LogLevel::off;
  logs_->apply(config_);
  logs_->notices().info("started");
  logs_->logger()->critical("a catastrophe");
  const std::string err = finish();
  EXPECT_TRUE(contains(err, " - INFO - started\n"));
  EXPECT_FALSE(contains(err, "a catastrophe"));
  EXPECT_TRUE(contains(file(), "started"));
}

TEST_F(LogsTest, ANoticeShowsOnceEvenIfTheLevelOfStandardErrorIncludesIt) {
  config_.stderr_level = LogLevel::debug;
  logs_->apply(config_);
  logs_->notices().info("started");
  const std::string err = finish();
  EXPECT_TRUE(contains(err, "started"));
  EXPECT_EQ(err.find("started"), err.rfind("started"));
}

TEST_F(LogsTest, TheLoggerRejectsLinesThatNoSinkWrites) {
  EXPECT_FALSE(logs_->logger()->should_log(spdlog::level::trace));
  EXPECT_TRUE(logs_->logger()->should_log(spdlog::level::debug));
  config_.file_level = LogLevel::warning;
  config_.stderr_level = LogLevel::info;
  logs_->apply(config_);
  EXPECT_FALSE(logs_->logger()->should_log(spdlog::level::debug));
  EXPECT_TRUE(logs_->logger()->should_log(spdlog::level::info));
}

TEST_F(LogsTest, WithoutAFileTheFileLevelIsIgnored) {
  config_.file = "";
  logs_->apply(config_);
  EXPECT_FALSE(logs_->logger()->should_log(spdlog::level::info));
  EXPECT_TRUE(logs_->logger()->should_log(spdlog::level::err));
  const Logs without_from_the_start(config_);
  EXPECT_FALSE(without_from_the_start.logger()->should_log(spdlog::level::info));
}

TEST_F(LogsTest, KeepTheLastWarningsWhateverTheLevels) {
  config_.file = "";
  config_.stderr_level = LogLevel::off;
  logs_->apply(config_);
  logs_->logger()->info("not kept");
  logs_->logger()->warn("kept");
  const LogSnapshot figures = logs_->figures();
  EXPECT_FALSE(figures.has_file);
  EXPECT_EQ(figures.file_level, "off");
  EXPECT_EQ(figures.stderr_level, "off");
  const std::vector<std::string> trouble = logs_->trouble();
  ASSERT_EQ(trouble.size(), 1U);
  EXPECT_TRUE(trouble[0].ends_with(" - WARNING - kept")) << trouble[0];
}

TEST_F(LogsTest, ARelativeNameIsInTheLogsDirectoryIfThereIsOne) {
  config_.file = "relative.log";
  const std::string both = directory_.path().string() + ":/nowhere";
  setenv("LOGS_DIRECTORY", both.c_str(), 1);
  logs_->apply(config_);
  logs_->logger()->info("here");
  (void)finish();
  EXPECT_TRUE(contains(read_file(directory_.file("relative.log")), "here"));
}

TEST_F(LogsTest, AnEmptyLogsDirectoryIsIgnored) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  config_.file = "relative.log";
  for (const char* const empty : {"", ":/nowhere"}) {
    setenv("LOGS_DIRECTORY", empty, 1);
    Logs(config_).logger()->info("here");
    EXPECT_TRUE(contains(read_file(directory_.file("relative.log")), "here"));
    std::filesystem::remove(directory_.file("relative.log"));
  }
  std::filesystem::current_path(before);
}

TEST_F(LogsTest, AnAbsoluteNameIgnoresTheLogsDirectory) {
  setenv("LOGS_DIRECTORY", "/nowhere", 1);
  logs_->apply(config_);
  logs_->logger()->info("here");
  (void)finish();
  EXPECT_TRUE(contains(file(), "here"));
}

TEST_F(LogsTest, AfterAReopenLinesGoToTheNewFile) {
  const std::filesystem::path rotated = directory_.file("network-server.log.1");
  wait_until("the file", [this] { return std::filesystem::exists(config_.file); });
  std::filesystem::rename(config_.file, rotated);
  const std::string zone = logs_->time_zone_at_start();
  logs_->reopen();
  logs_->logger()->info("after");
  (void)finish();
  EXPECT_TRUE(contains(file(), "log file reopened, time zone " + zone));
  EXPECT_FALSE(contains(read_file(rotated), "after"));
  EXPECT_TRUE(contains(file(), "after"));
}

TEST_F(LogsTest, AFileIsAppendedToAndReadableOnlyByOwnerAndGroup) {
  logs_->logger()->info("first");
  logs_.reset();
  logs_.emplace(config_);
  logs_->logger()->info("second");
  (void)finish();
  EXPECT_TRUE(contains(file(), "first"));
  EXPECT_TRUE(contains(file(), "second"));
  using std::filesystem::perms;
  const perms others = std::filesystem::status(config_.file).permissions() &
                       (perms::others_all | perms::group_write | perms::group_exec);
  EXPECT_EQ(others, perms::none);
}

TEST_F(LogsTest, WithoutAFileLinesGoToStandardErrorOnly) {
  config_.file = "";
  logs_->apply(config_);
  logs_->logger()->error("a failure");
  const std::string err = finish();
  EXPECT_TRUE(contains(err, "a failure"));
  EXPECT_FALSE(contains(err, "cannot write"));
  EXPECT_EQ(file(), "");
}

TEST_F(LogsTest, AFileThatCannotBeOpenedIsReportedOnStandardError) {
  config_.file = directory_.file("missing/network-server.log");
  logs_->apply(config_);
  logs_->logger()->error("a failure");
  EXPECT_EQ(logs_->dropped_lines(), 0U);
  const std::string err = finish();
  EXPECT_TRUE(contains(err, "cannot write the log file " + config_.file + ": No such file"));
  EXPECT_TRUE(contains(err, "a failure"));
}

TEST_F(LogsTest, AFailedReopenLosesNoLineAndIsRetried) {
  const std::filesystem::path rotated = directory_.file("network-server.log.1");
  wait_until("the file", [this] { return std::filesystem::exists(config_.file); });
  std::filesystem::rename(config_.file, rotated);
  std::filesystem::create_directory(config_.file);
  logs_->reopen();
  logs_->logger()->info("after the reopen");
  wait_until("the line", [&] { return contains(read_file(rotated), "after the reopen"); });
  std::filesystem::remove(config_.file);
  wait_until("the new file", [this] {
    logs_->logger()->info("a line");
    return std::filesystem::exists(config_.file);
  });
  EXPECT_EQ(logs_->write_failures(), 0U);
  const std::string err = finish();
  EXPECT_TRUE(contains(err, ": Is a directory; log lines go to the file that was open before"));
  EXPECT_TRUE(contains(err, config_.file + " can be written again"));
}

TEST_F(LogsTest, AReloadToAFileThatCannotBeOpenedKeepsTheOldFile) {
  const std::string old = config_.file;
  wait_until("the file", [&old] { return std::filesystem::exists(old); });
  config_.file = directory_.path();
  logs_->apply(config_);
  logs_->logger()->info("after the reload");
  const std::string err = finish();
  EXPECT_TRUE(contains(err, ": Is a directory; log lines go to the file that was open before"));
  EXPECT_TRUE(contains(read_file(old), "after the reload"));
}

TEST(FailedStartTest, WritesItsReasonToTheLogFile) {
  const TemporaryDirectory directory;
  LogConfig config;
  config.file = directory.file("network-server.log");
  log_failed_start(config, "cannot listen on 192.0.2.1:7");
  EXPECT_TRUE(contains(read_file(config.file),
                       " - CRITICAL - start failed: cannot listen on 192.0.2.1:7\n"));
}

TEST(FailedStartTest, WritesNothingIfNoFileIsConfigured) {
  const TemporaryDirectory directory;
  LogConfig config;
  config.file = directory.file("network-server.log");
  config.file_level = LogLevel::off;
  log_failed_start(config, "a reason");
  EXPECT_FALSE(std::filesystem::exists(config.file));
  config.file = "";
  config.file_level = LogLevel::debug;
  log_failed_start(config, "a reason");
  config.file = directory.file("missing/network-server.log");
  log_failed_start(config, "a reason");  // Returns.
}

// Replaces standard error by a full pipe: writes block until drain().
class StuckStderr {
 public:
  StuckStderr() : saved_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe2(ends_.data(), O_NONBLOCK | O_CLOEXEC), 0);
    const std::array<char, 4096> filler{};
    while (write(ends_[1], filler.data(), filler.size()) > 0) {
    }
    EXPECT_EQ(fcntl(ends_[1], F_SETFL, 0), 0);  // From now on writes block.
    EXPECT_GE(dup2(ends_[1], STDERR_FILENO), 0);
  }
  ~StuckStderr() {
    (void)dup2(saved_, STDERR_FILENO);
    for (const int fd : {saved_, ends_[0], ends_[1]}) {
      (void)close(fd);
    }
  }
  StuckStderr(const StuckStderr&) = delete;
  StuckStderr& operator=(const StuckStderr&) = delete;

  void drain() const {
    std::array<char, 4096> bytes{};
    while (read(ends_[0], bytes.data(), bytes.size()) > 0) {
    }
  }

 private:
  int saved_;
  std::array<int, 2> ends_{};
};

TEST_F(LogsTest, AReloadWithTheSameFileDoesNotReopenIt) {
  logs_->logger()->info("before");
  wait_until("the file", [this] { return contains(file(), "before"); });
  const std::filesystem::path rotated = directory_.file("network-server.log.1");
  std::filesystem::rename(config_.file, rotated);
  logs_->apply(config_);
  logs_->logger()->info("after");
  (void)finish();
  EXPECT_TRUE(contains(read_file(rotated), "after"));
}

TEST(LogsQueueTest, LoggingNeverBlocksAndDroppedLinesAreCounted) {
  constexpr std::uint32_t kQueue = 4;
  constexpr std::uint64_t kLines = 100;
  LogConfig config;
  config.file = "";
  config.stderr_level = LogLevel::info;
  config.queue_lines = kQueue;
  const StuckStderr stuck;
  {
    Logs logs(config);
    for (std::uint64_t i = 0; i < kLines; ++i) {
      logs.logger()->info("line {}", i);
    }
    // All but those in the queue and the line that is being written.
    EXPECT_GE(logs.dropped_lines(), kLines - kQueue - 1);
    EXPECT_LE(logs.dropped_lines(), kLines - kQueue);
    stuck.drain();
  }
}

TEST(LogsQueueTest, ABlockedStandardErrorDelaysNeitherTheFileNorTheEnd) {
  const TemporaryDirectory directory;
  LogConfig config;
  config.file = directory.file("network-server.log");
  config.stderr_level = LogLevel::info;
  const StuckStderr stuck;
  Logs logs(config);
  logs.logger()->info("first");
  logs.logger()->info("second");
  wait_until("the file", [&] { return contains(read_file(config.file), "second"); });
  EXPECT_FALSE(logs.finish());
  stuck.drain();
}

TEST(LogsQueueTest, AnAllocationFailureIsCountedAndNotLogged) {
  const TemporaryDirectory directory;
  LogConfig config;
  config.file = directory.file("network-server.log");
  config.file_level = LogLevel::info;
  testing::internal::CaptureStderr();
  Logs logs(config);
  const std::string long_text(1000, 'x');
  {
    const AllocationFailure none_left;
    logs.logger()->info("{}", long_text);
    logs.logger()->info("a line that needs no memory");
    logs.logger()->info(std::string_view(long_text));
  }
  EXPECT_EQ(logs.write_failures(), 1U);
  EXPECT_TRUE(logs.finish());
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_FALSE(contains(read_file(config.file), "bad_alloc"));
  EXPECT_TRUE(contains(read_file(config.file), "a line that needs no memory"));
  EXPECT_TRUE(contains(read_file(config.file), long_text));
}

}  // namespace
}  // namespace echod::test
