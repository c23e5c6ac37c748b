#include "sys/running_program.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>

#include "files.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

constexpr const char* kProgramLine =
    "55d0c0a00000-55d0c0a20000 r-xp 00002000 fe:00 1179 /usr/sbin/echod\n";
constexpr const char* kLibraryLine =
    "7f12a0000000-7f12a0020000 r-xp 00004000 fe:00 1234      /usr/lib/libspdlog.so.1 (deleted)\n";

TEST(RunningProgramTest, ThePathIsThatOfTheTestItself) {
  EXPECT_EQ(sys::path_of_running_program(), std::filesystem::canonical("/proc/self/exe").string());
}

TEST(RunningProgramTest, NoCodeOfThisTestIsDeleted) {
  EXPECT_EQ(sys::deleted_code_file(), "");
}

TEST(DeletedCodeFileTest, IsTheFirstOneWhoseNameIsGone) {
  EXPECT_EQ(sys::deleted_code_file_in(std::string(kProgramLine) + kLibraryLine + kProgramLine),
            "/usr/lib/libspdlog.so.1");
}

TEST(DeletedCodeFileTest, MayHaveSpacesInItsName) {
  EXPECT_EQ(sys::deleted_code_file_in("1000-2000 r-xp 0 fe:00 1 /opt/my libs/a b.so (deleted)"),
            "/opt/my libs/a b.so");
}

TEST(DeletedCodeFileTest, IsNotAFileWithoutCode) {
  EXPECT_EQ(sys::deleted_code_file_in("1000-2000 rw-p 0 fe:00 1 /var/data (deleted)\n"
                                      "2000-3000 r--s 0 fe:00 2 /var/x (deleted)\n"),
            "");
}

TEST(DeletedCodeFileTest, IsNotMemoryWithoutAFile) {
  EXPECT_EQ(sys::deleted_code_file_in("1000-2000 rwxp 0 00:01 1 /memfd:code (deleted)\n"
                                      "2000-3000 rwxs 0 00:01 2 /dev/zero (deleted)\n"
                                      "3000-4000 rwxs 0 00:01 3 /SYSV00000000 (deleted)\n"
                                      "4000-5000 r-xp 0 00:00 0 [vdso]\n"
                                      "5000-6000 rwxp 0 00:00 0 \n"),
            "");
}

TEST(DeletedCodeFileTest, IsNotFoundInATextThatIsNoMap) {
  for (const char* const text : {"", "\n\n", "/", "x", " (deleted)", "/ (deleted)", " /x (deleted)",
                                 "a b /x (deleted)", "\n1000-2000 r-x"}) {
    EXPECT_EQ(sys::deleted_code_file_in(text), "") << text;
  }
}

class VersionOfFileTest : public testing::Test {
 protected:
  VersionOfFileTest() { write_file(path_, "one"); }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("program");
};

TEST_F(VersionOfFileTest, StaysWhileNothingChanges) {
  ASSERT_TRUE(sys::version_of(path_));
  EXPECT_EQ(sys::version_of(path_), sys::version_of(path_));
}

TEST_F(VersionOfFileTest, ChangesWithTheFileAndWithItsTime) {
  const auto before = sys::version_of(path_);
  replace_by_copy(path_);
  const auto replaced = sys::version_of(path_);
  EXPECT_NE(replaced, before);
  std::filesystem::last_write_time(
      path_, std::filesystem::last_write_time(path_) + std::chrono::nanoseconds(1));
  EXPECT_NE(sys::version_of(path_), replaced);
}

TEST_F(VersionOfFileTest, IsThatOfTheFileALinkLeadsTo) {
  std::filesystem::create_symlink(path_, directory_.file("link"));
  EXPECT_EQ(sys::version_of(directory_.file("link")), sys::version_of(path_));
}

TEST_F(VersionOfFileTest, IsNothingWithoutAFile) {
  EXPECT_FALSE(sys::version_of(directory_.file("missing")));
}

TEST_F(VersionOfFileTest, OfAFifoIsFoundWithoutBlocking) {
  ASSERT_EQ(mkfifo(directory_.file("fifo").c_str(), S_IRUSR), 0);
  EXPECT_TRUE(sys::version_of(directory_.file("fifo")));
}

}  // namespace
}  // namespace echod::test
