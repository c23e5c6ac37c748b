#include "log_file_sink.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <cerrno>
#include <memory>
#include <sstream>
#include <string>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class LogFileSinkTest : public testing::Test {
 protected:
  LogFileSinkTest() {
    complaints_->set_pattern("%l %v");
    sink_.set_pattern("%v");
  }

  void open() {
    kernel_.expect_open("log", kFd);
    sink_.open("log");
  }
  void log(const std::string& text) { sink_.log({"test", spdlog::level::info, text}); }

  ScriptedKernel kernel_;
  std::ostringstream said_;
  std::shared_ptr<spdlog::sinks::ostream_sink_mt> complaints_ =
      std::make_shared<spdlog::sinks::ostream_sink_mt>(said_);
  LogFileSink sink_{complaints_};
};

TEST_F(LogFileSinkTest, EachLineIsOneWrite) {
  open();
  kernel_.expect_write(kFd, "one\n");
  kernel_.expect_write(kFd, "two\n");
  log("one");
  log("two");
  EXPECT_EQ(sink_.lost_lines(), 0U);
  EXPECT_EQ(said_.str(), "");
}

TEST_F(LogFileSinkTest, WithoutAPathWritesNothingAndLosesNothing) {
  sink_.open("");
  log("one");
  EXPECT_EQ(sink_.lost_lines(), 0U);
  open();
  kernel_.expect_close(kFd);
  sink_.open("");
  log("two");
  EXPECT_EQ(sink_.lost_lines(), 0U);
}

TEST_F(LogFileSinkTest, AFileThatCannotBeOpenedIsReportedOnceAndItsLinesAreCounted) {
  kernel_.expect_open_error("log", EACCES);
  sink_.open("log");
  log("one");
  log("two");
  EXPECT_EQ(sink_.lost_lines(), 2U);
  const std::string said = said_.str();
  EXPECT_EQ(said.substr(0, said.find(';')),
            "error cannot write the log file log: Permission denied");
  kernel_.expect_open_error("log", EACCES);
  sink_.open("log");
  EXPECT_EQ(said_.str(), said);
}

TEST_F(LogFileSinkTest, AnotherFileThatCannotBeOpenedIsReportedToo) {
  kernel_.expect_open_error("log", EACCES);
  sink_.open("log");
  kernel_.expect_open_error("other", EISDIR);
  sink_.open("other");
  EXPECT_NE(said_.str().find("other: Is a directory"), std::string::npos);
}

TEST_F(LogFileSinkTest, AFullDiskIsReportedOnceUntilItCanBeWrittenAgain) {
  open();
  kernel_.expect_write_error(kFd, ENOSPC);
  kernel_.expect_write_error(kFd, ENOSPC);
  log("one");
  log("two");
  EXPECT_EQ(sink_.lost_lines(), 2U);
  const std::string once = said_.str();
  EXPECT_NE(once.find("No space left on device"), std::string::npos);
  EXPECT_EQ(once.find("cannot write"), once.rfind("cannot write"));
  kernel_.expect_write(kFd, "three\n");
  log("three");
  EXPECT_EQ(said_.str(), once);
  kernel_.expect_write_error(kFd, EIO);
  log("four");
  EXPECT_NE(said_.str(), once);
  EXPECT_EQ(sink_.lost_lines(), 3U);
}

TEST_F(LogFileSinkTest, AfterAReopenLinesGoToTheNewFile) {
  open();
  kernel_.expect_close(kFd);
  kernel_.expect_open("log", kOther);
  sink_.open("log");
  kernel_.expect_write(kOther, "one\n");
  log("one");
}

TEST_F(LogFileSinkTest, AFileThatCanBeOpenedAgainIsWrittenAgain) {
  kernel_.expect_open_error("log", ENOENT);
  sink_.open("log");
  log("lost");
  open();
  kernel_.expect_write(kFd, "one\n");
  log("one");
  EXPECT_EQ(sink_.lost_lines(), 1U);
}

}  // namespace
}  // namespace echod::test
