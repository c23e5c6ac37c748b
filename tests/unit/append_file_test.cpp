#include "append_file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class AppendFileTest : public testing::Test {
 protected:
  void open() {
    kernel_.expect_open("log", kFd);
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

TEST_F(AppendFileTest, AWriteThatStopsShortOrIsInterruptedIsContinued) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, EINTR);
  kernel_.expect_write(kFd, "line\n");
  EXPECT_EQ(file_.write("a line\n").count(), 7U);
}

TEST_F(AppendFileTest, AnOpenThatIsInterruptedIsMadeAgain) {
  kernel_.expect_open_error("log", EINTR);
  open();
  EXPECT_TRUE(file_.is_open());
}

TEST_F(AppendFileTest, AWriteThatFailsSaysWhy) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_EQ(file_.write("a line\n").error(), ENOSPC);
  EXPECT_TRUE(file_.is_open());
}

TEST_F(AppendFileTest, AfterHalfALineTheNextBeginsANewOne) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_EQ(file_.write("a line\n").error(), ENOSPC);
  kernel_.expect_write_error(kFd, ENOSPC);  // Not even the newline.
  EXPECT_EQ(file_.write("lost\n").error(), ENOSPC);
  kernel_.expect_write(kFd, "\n");
  kernel_.expect_write(kFd, "another\n");
  EXPECT_TRUE(file_.write("another\n").ok());
  kernel_.expect_write(kFd, "more\n");
  EXPECT_TRUE(file_.write("more\n").ok());
}

TEST_F(AppendFileTest, AFileThatIsOpenedAnewBeginsWithoutANewline) {
  open();
  kernel_.expect_write(kFd, "a line\n", 2);
  kernel_.expect_write_error(kFd, ENOSPC);
  EXPECT_FALSE(file_.write("a line\n").ok());
  kernel_.expect_open("log", kOther);
  kernel_.expect_close(kFd);
  EXPECT_TRUE(file_.open("log").ok());
  kernel_.expect_write(kOther, "x\n");
  EXPECT_TRUE(file_.write("x\n").ok());
}

TEST_F(AppendFileTest, ToWriteNothingIsNoCall) {
  open();
  EXPECT_TRUE(file_.write("").ok());
  EXPECT_EQ(kernel_.count(Call::write), 0U);
}

TEST_F(AppendFileTest, ToOpenAnewClosesWhatWasOpen) {
  open();
  kernel_.expect_open("log", kOther);
  kernel_.expect_close(kFd);
  EXPECT_TRUE(file_.open("log").ok());
  kernel_.expect_write(kOther, "x");
  EXPECT_TRUE(file_.write("x").ok());
}

TEST_F(AppendFileTest, AnOpenThatFailsSaysWhyAndLeavesNothingOpen) {
  open();
  kernel_.expect_open_error("log", EACCES);
  kernel_.expect_close(kFd);
  EXPECT_EQ(file_.open("log").error(), EACCES);
  EXPECT_FALSE(file_.is_open());
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
