#include "log_file.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>

#include "line_format.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() { complaints_->set_pattern("%l %v"); }

  void open() {
    kernel_.expect_open("log", kFd);
    EXPECT_TRUE(file_.open("log"));
  }
  static spdlog::details::log_msg message(const std::string& text) {
    return {spdlog::log_clock::time_point(), {}, "test", spdlog::level::info, text};
  }
  // Whether the line was written.
  bool log(const std::string& text) { return file_.write(message(text)); }
  void expect_line(int fd, const std::string& text) {
    spdlog::memory_buf_t line;
    line_format(false)->format(message(text), line);
    kernel_.expect_write(fd, {line.data(), line.size()});
  }

  ScriptedKernel kernel_;
  std::ostringstream said_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> complaints_ =
      std::make_shared<spdlog::sinks::ostream_sink_mt>(said_);
  LogFile file_{complaints_};
};

TEST_F(LogFileTest, EachLineIsOneWrite) {
  open();
  expect_line(kFd, "one");
  expect_line(kFd, "two");
  EXPECT_TRUE(log("one"));
  EXPECT_TRUE(log("two"));
  EXPECT_EQ(said_.str(), "");
}

TEST_F(LogFileTest, WithoutAPathWritesNothingAndLosesNothing) {
  EXPECT_FALSE(file_.open(""));
  EXPECT_TRUE(log("one"));
  open();
  kernel_.expect_close(kFd);
  EXPECT_FALSE(file_.open(""));
  EXPECT_TRUE(log("two"));
}

TEST_F(LogFileTest, AFileThatCannotBeOpenedIsReportedOnceAndItsLinesAreLost) {
  kernel_.expect_open_error("log", EACCES);
  EXPECT_FALSE(file_.open("log"));
  EXPECT_FALSE(log("one"));
  EXPECT_FALSE(log("two"));
  const std::string said = said_.str();
  EXPECT_EQ(said.substr(0, said.find(';')),
            "error cannot write the log file log: Permission denied");
  kernel_.expect_open_error("log", EACCES);
  (void)file_.open("log");
  EXPECT_EQ(said_.str(), said);
}

TEST_F(LogFileTest, AnotherFileThatCannotBeOpenedIsReportedToo) {
  kernel_.expect_open_error("log", EACCES);
  (void)file_.open("log");
  kernel_.expect_open_error("other", EISDIR);
  (void)file_.open("other");
  EXPECT_NE(said_.str().find("other: Is a directory"), std::string::npos);
}

TEST_F(LogFileTest, AFullDiskIsReportedOnceUntilItCanBeWrittenAgain) {
  open();
  kernel_.expect_write_error(kFd, ENOSPC);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_FALSE(log("one"));
  EXPECT_FALSE(log("two"));
  const std::string once = said_.str();
  EXPECT_NE(once.find("No space left on device"), std::string::npos);
  EXPECT_EQ(once.find("cannot write"), once.rfind("cannot write"));
  expect_line(kFd, "three");
  EXPECT_TRUE(log("three"));
  EXPECT_EQ(said_.str(), once);
  kernel_.expect_write_error(kFd, EIO);
  EXPECT_FALSE(log("four"));
  EXPECT_NE(said_.str(), once);
}

TEST_F(LogFileTest, AfterAReopenLinesGoToTheNewFile) {
  open();
  kernel_.expect_close(kFd);
  kernel_.expect_open("log", kOther);
  EXPECT_TRUE(file_.open("log"));
  expect_line(kOther, "one");
  EXPECT_TRUE(log("one"));
}

TEST_F(LogFileTest, AFileThatCanBeOpenedAgainIsWrittenAgain) {
  kernel_.expect_open_error("log", ENOENT);
  EXPECT_FALSE(file_.open("log"));
  EXPECT_FALSE(log("lost"));
  open();
  expect_line(kFd, "one");
  EXPECT_TRUE(log("one"));
}

}  // namespace
}  // namespace echod::test
