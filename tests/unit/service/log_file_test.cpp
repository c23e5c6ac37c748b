#include "service/log_file.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include "files.hpp"
#include "scripted_syscalls.hpp"
#include "service/line_format.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr int kFolderFd = 6;

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    kernel_.set_file_type(kFolderFd, S_IFDIR | 0755);
    reports_->set_pattern("%l %v");
  }

  void expect_open(const std::string& name, int fd) {
    kernel_.expect_open(".", kFolderFd);
    kernel_.expect_open(name, fd);
  }
  void expect_open_error(const std::string& name, int error) {
    kernel_.expect_open(".", kFolderFd);
    kernel_.expect_open_error(name, error);
  }
  void open() {
    expect_open("log", kFd);
    EXPECT_TRUE(file_.open("log"));
  }
  static spdlog::details::log_msg message(const std::string& text) {
    return {spdlog::log_clock::time_point(), {}, "test", spdlog::level::info, text};
  }
  // Returns true if the line was written.
  bool log(const std::string& text) { return file_.write(message(text)).ok(); }
  void expect_line(int fd, const std::string& text) {
    spdlog::memory_buf_t line;
    line_format(LineForm::dated)->format(message(text), line);
    kernel_.expect_write(fd, {line.data(), line.size()});
  }
  // Returns what was reported since the last call.
  std::string reported() {
    const std::string text = reported_.str();
    reported_.str("");
    return text;
  }

  ScriptedKernel kernel_;
  std::ostringstream reported_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> reports_ =
      std::make_shared<spdlog::sinks::ostream_sink_mt>(reported_);
  LogFile file_{reports_};
};

TEST_F(LogFileTest, EachLineIsOneWrite) {
  open();
  expect_line(kFd, "one");
  expect_line(kFd, "two");
  EXPECT_TRUE(log("one"));
  EXPECT_TRUE(log("two"));
  EXPECT_EQ(reported(), "");
}

TEST_F(LogFileTest, WithoutAPathWritesNothingAndReportsNoFailure) {
  EXPECT_FALSE(file_.open(""));
  EXPECT_TRUE(log("one"));
  open();
  kernel_.expect_close(kFd);
  EXPECT_FALSE(file_.open(""));
  EXPECT_TRUE(log("two"));
}

TEST_F(LogFileTest, AFileThatCannotBeOpenedIsReportedOnceAndItsLinesAreLost) {
  expect_open_error("log", EACCES);
  EXPECT_FALSE(file_.open("log"));
  EXPECT_FALSE(log("one"));
  EXPECT_FALSE(log("two"));
  EXPECT_EQ(reported(),
            "error cannot write the log file log: Permission denied; log lines are lost until it "
            "can be opened; new lines try again, at most once a second\n");
}

TEST_F(LogFileTest, ANewLineRetriesTheOpenAtMostOnceASecond) {
  expect_open_error("log", EACCES);
  EXPECT_FALSE(file_.open("log"));
  kernel_.advance(999ms);
  EXPECT_FALSE(log("early"));
  kernel_.advance(1ms);
  expect_open_error("log", ENOENT);
  EXPECT_FALSE(log("lost"));
  EXPECT_FALSE(log("early"));
  kernel_.advance(1s);
  expect_open("log", kFd);
  expect_line(kFd, "first");
  (void)reported();
  EXPECT_TRUE(log("first"));
  EXPECT_EQ(reported(), "info the log file log can be written again\n");
}

TEST_F(LogFileTest, LinesGoToTheOldFileUntilTheNewOneCanBeOpened) {
  open();
  expect_open_error("log", EISDIR);
  EXPECT_FALSE(file_.open("log"));
  EXPECT_EQ(
      reported(),
      "error cannot write the log file log: Is a directory; log lines go to the file that was "
      "open before; new lines try again, at most once a second\n");
  expect_line(kFd, "one");
  EXPECT_TRUE(log("one"));
  kernel_.advance(1s);
  expect_open("log", kOther);
  kernel_.expect_close(kFd);
  expect_line(kOther, "two");
  EXPECT_TRUE(log("two"));
  EXPECT_EQ(reported(), "info the log file log can be written again\n");
}

TEST_F(LogFileTest, AnotherFileThatCannotBeOpenedIsReportedToo) {
  expect_open_error("log", EACCES);
  (void)file_.open("log");
  expect_open_error("other", EISDIR);
  (void)file_.open("other");
  EXPECT_NE(reported().find("other: Is a directory"), std::string::npos);
}

TEST_F(LogFileTest, EachExplicitOpenThatFailsIsReported) {
  for (int i = 0; i < 2; ++i) {
    expect_open_error("log", EACCES);
    EXPECT_FALSE(file_.open("log"));
    EXPECT_NE(reported(), "");
  }
}

TEST_F(LogFileTest, ARefusedLinkIsReportedAsALink) {
  expect_open_error("log", EMLINK);
  (void)file_.open("log");
  EXPECT_NE(reported().find("a link is refused in a directory that other users may write to"),
            std::string::npos);
}

TEST_F(LogFileTest, AFullDiskIsReportedOnceUntilItCanBeWrittenAgain) {
  open();
  for (int i = 0; i < 2; ++i) {
    kernel_.expect_write_error(kFd, ENOSPC);
    EXPECT_FALSE(log("lost"));
  }
  EXPECT_EQ(
      reported(),
      "error cannot write the log file log: No space left on device; log lines are lost until "
      "a write succeeds; each new line tries again\n");
  expect_line(kFd, "three");
  EXPECT_TRUE(log("three"));
}

TEST_F(LogFileTest, AFileThatCannotBeWrittenIsReopenedOnceASecond) {
  open();
  kernel_.expect_write_error(kFd, ESTALE);
  EXPECT_FALSE(log("lost"));
  (void)reported();
  kernel_.advance(1s);
  expect_open("log", kOther);
  kernel_.expect_close(kFd);
  expect_line(kOther, "two");
  EXPECT_TRUE(log("two"));
  EXPECT_EQ(reported(), "info the log file log can be written again\n");
}

TEST_F(LogFileTest, AFailureThatComesAndGoesIsReportedOnceAMinute) {
  open();
  int fd = kFd;
  int next = kOther;
  for (int minute = 0; minute < 2; ++minute) {
    std::string all;
    for (int second = 0; second < 60; second += 2) {
      kernel_.expect_write_error(fd, ENOSPC);
      EXPECT_FALSE(log("lost"));
      kernel_.advance(2s);
      expect_open("log", next);
      expect_line(next, "one");
      EXPECT_TRUE(log("one"));
      all += reported();
      std::swap(fd, next);
    }
    EXPECT_EQ(lines_of(all).size(), 2U) << all;
  }
}

TEST_F(LogFileTest, AFullPipeIsNotAFailure) {
  open();
  kernel_.set_ready(kFd, false);
  kernel_.expect_write_error(kFd, EAGAIN);
  EXPECT_TRUE(file_.write(message("one")).would_block());
  expect_line(kFd, "one");
  EXPECT_TRUE(log("one"));
  EXPECT_EQ(reported(), "");
}

TEST_F(LogFileTest, AfterAReopenLinesGoToTheNewFile) {
  open();
  expect_open("log", kOther);
  kernel_.expect_close(kFd);
  EXPECT_TRUE(file_.open("log"));
  expect_line(kOther, "one");
  EXPECT_TRUE(log("one"));
  EXPECT_EQ(reported(), "");
}

}  // namespace
}  // namespace echod::test
