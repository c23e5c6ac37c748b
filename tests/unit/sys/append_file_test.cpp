#include "sys/append_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

constexpr int kFolder = 6;

class AppendFileTest : public testing::Test {
 protected:
  AppendFileTest() { kernel_.set_file_type(kFolder, S_IFDIR | 0755); }

  void expect_open(int fd) {
    kernel_.expect_open(".", kFolder);
    kernel_.expect_open("log", fd);
  }
  void open() {
    expect_open(kFd);
    ASSERT_TRUE(file_.open("log").ok());
  }

  ScriptedKernel kernel_;
  sys::AppendFile file_;
};

TEST_F(AppendFileTest, ALineIsOneWrite) {
  open();
  kernel_.expect_write(kFd, "a line\n");
  EXPECT_EQ(file_.write("a line\n").count(), 7U);
}

TEST_F(AppendFileTest, ContinuesAShortOrInterruptedWrite) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, EINTR);
  kernel_.expect_write(kFd, "line\n");
  EXPECT_EQ(file_.write("a line\n").count(), 7U);
}

TEST_F(AppendFileTest, RetriesAnInterruptedOpen) {
  kernel_.expect_open_error(".", EINTR);
  kernel_.expect_open(".", kFolder);
  kernel_.expect_open_error("log", EINTR);
  kernel_.expect_open("log", kFd);
  EXPECT_TRUE(file_.open("log").ok());
  EXPECT_TRUE(file_.is_open());
  EXPECT_TRUE(kernel_.was_closed(kFolder));
}

TEST_F(AppendFileTest, OpensTheFileInTheDirectoryOfItsPath) {
  kernel_.expect_open("/var/log/", kFolder);
  kernel_.expect_open("log", kFd);
  EXPECT_TRUE(file_.open("/var/log/log").ok());
  EXPECT_EQ(file_.open(std::string(5000, 'x') + "/log").error(), ENAMETOOLONG);
}

TEST_F(AppendFileTest, AFailedWriteReturnsItsError) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_EQ(file_.write("a line\n").error(), ENOSPC);
  EXPECT_TRUE(file_.is_open());
}

TEST_F(AppendFileTest, AfterHalfALineTheNextWriteStartsANewLine) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_EQ(file_.write("a line\n").error(), ENOSPC);
  kernel_.expect_write_error(kFd, ENOSPC);  // The newline fails too.
  EXPECT_EQ(file_.write("lost\n").error(), ENOSPC);
  kernel_.expect_write(kFd, "\n");
  kernel_.expect_write(kFd, "another\n");
  EXPECT_TRUE(file_.write("another\n").ok());
  kernel_.expect_write(kFd, "more\n");
  EXPECT_TRUE(file_.write("more\n").ok());
}

TEST_F(AppendFileTest, AReopenedFileStartsWithoutANewline) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_FALSE(file_.write("a line\n").ok());
  expect_open(kOther);
  kernel_.expect_close(kFd);
  EXPECT_TRUE(file_.open("log").ok());
  kernel_.expect_write(kOther, "x\n");
  EXPECT_TRUE(file_.write("x\n").ok());
}

TEST_F(AppendFileTest, AnEmptyWriteMakesNoCall) {
  open();
  EXPECT_TRUE(file_.write("").ok());
  EXPECT_EQ(kernel_.count(Call::write), 0U);
}

TEST_F(AppendFileTest, ASecondOpenClosesTheFirstFile) {
  open();
  expect_open(kOther);
  kernel_.expect_close(kFd);
  EXPECT_TRUE(file_.open("log").ok());
  kernel_.expect_write(kOther, "x");
  EXPECT_TRUE(file_.write("x").ok());
}

TEST_F(AppendFileTest, AFailedOpenReturnsItsErrorAndKeepsTheOldFile) {
  open();
  kernel_.expect_open(".", kFolder);
  kernel_.expect_open_error("log", EACCES);
  EXPECT_EQ(file_.open("log").error(), EACCES);
  kernel_.expect_open_error(".", EMFILE);
  EXPECT_EQ(file_.open("log").error(), EMFILE);
  kernel_.expect_write(kFd, "x");
  EXPECT_TRUE(file_.write("x").ok());
}

TEST_F(AppendFileTest, WritesTheRestOfALineWhenAFullPipeIsWritableAgain) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, EAGAIN);
  kernel_.expect_write(kFd, "line\n");  // The pipe became writable in time.
  EXPECT_TRUE(file_.write("a line\n").ok());
}

TEST_F(AppendFileTest, ContinuesTheSameLineAfterAPipeWasFullForTooLong) {
  open();
  kernel_.set_ready(kFd, false);
  kernel_.expect_write(kFd, "a line\n", 2);
  for (int i = 0; i < 2; ++i) {
    kernel_.expect_write_error(kFd, EAGAIN);
    EXPECT_TRUE(file_.write("a line\n").would_block());
  }
  kernel_.expect_write(kFd, "line\n");
  EXPECT_TRUE(file_.write("a line\n").ok());
  kernel_.expect_write(kFd, "another\n");
  EXPECT_TRUE(file_.write("another\n").ok());
}

TEST(JournalStreamTest, IsTheFileThatTheVariableNamesByDeviceAndInode) {
  const sys::UniqueFd file = sys::UniqueFd::adopt(sys::calls::open("/dev/null", 0, 0));
  struct stat status {};
  ASSERT_EQ(sys::calls::fstat(file.get(), &status), 0);
  const std::string name = std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
  EXPECT_TRUE(sys::is_journal_stream(file.get(), name));
  EXPECT_FALSE(sys::is_journal_stream(file.get(), name + '0'));
  EXPECT_FALSE(sys::is_journal_stream(file.get(), ""));
  EXPECT_FALSE(sys::is_journal_stream(-1, name));
}

}  // namespace
}  // namespace echod::test
