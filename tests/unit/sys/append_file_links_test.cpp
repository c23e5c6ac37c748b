// Log files that are links, on the real kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <string>

#include "files.hpp"
#include "sys/append_file.hpp"

namespace echod::test {
namespace {

class AppendFileLinksTest : public testing::Test {
 protected:
  AppendFileLinksTest() { write_file(target_, "before\n"); }

  void make_link() { std::filesystem::create_symlink(target_, link_); }
  // Returns the errno of open(), or 0 if a line was written.
  static int append_to(const std::string& path) {
    sys::AppendFile file;
    const sys::IoResult opened = file.open(path);
    return opened.ok() ? file.write("after\n").error() : opened.error();
  }
  void set_mode(mode_t mode) const { ASSERT_EQ(chmod(folder_.path().c_str(), mode), 0); }

  const TemporaryDirectory elsewhere_;
  const TemporaryDirectory folder_;
  const std::string target_ = elsewhere_.file("target");
  const std::string link_ = folder_.file("network-server.log");
};

TEST_F(AppendFileLinksTest, FollowsALinkInAPrivateDirectory) {
  make_link();
  set_mode(0755);
  EXPECT_EQ(append_to(link_), 0);
  EXPECT_EQ(read_file(target_), "before\nafter\n");
}

TEST_F(AppendFileLinksTest, RefusesALinkInADirectoryThatOthersMayWrite) {
  make_link();
  for (const mode_t mode : {0777U, 01777U, 0775U, 0757U}) {
    set_mode(mode);
    EXPECT_EQ(append_to(link_), EMLINK) << std::oct << mode;
  }
  std::filesystem::remove(target_);
  EXPECT_EQ(append_to(link_), EMLINK);
  EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(AppendFileLinksTest, RefusesALinkInADirectoryOfAnotherUser) {
  constexpr uid_t kNobody = 65534;
  make_link();
  set_mode(0755);
  if (chown(folder_.path().c_str(), kNobody, kNobody) != 0) {
    GTEST_SKIP() << "needs root, to give a directory to another user";
  }
  EXPECT_EQ(append_to(link_), EMLINK);
}

TEST_F(AppendFileLinksTest, RefusesAHardLinkInADirectoryThatOthersMayWrite) {
  std::filesystem::create_hard_link(target_, link_);
  set_mode(0777);
  EXPECT_EQ(append_to(link_), EMLINK);
  EXPECT_EQ(read_file(target_), "before\n");
  set_mode(0755);
  EXPECT_EQ(append_to(link_), 0);
}

TEST_F(AppendFileLinksTest, WritesAFileWithOneNameInADirectoryThatOthersMayWrite) {
  set_mode(0777);
  EXPECT_EQ(append_to(link_), 0);
  EXPECT_EQ(append_to(link_), 0);
  EXPECT_EQ(read_file(link_), "after\nafter\n");
}

TEST_F(AppendFileLinksTest, FollowsTheLinksToStandardOutput) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const int saved = dup(STDOUT_FILENO);
  ASSERT_EQ(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
  const int by_device = append_to("/dev/stdout");
  const int by_number = append_to("/proc/self/fd/1");
  ASSERT_EQ(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
  std::array<char, 16> got{};
  EXPECT_EQ(read(ends[0], got.data(), got.size()), 12);
  for (const int fd : {saved, ends[0], ends[1]}) {
    (void)close(fd);
  }
  EXPECT_EQ(by_device, 0);
  EXPECT_EQ(by_number, 0);
}

}  // namespace
}  // namespace echod::test
