// The files of the program on a scripted kernel that refuses calls.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "scripted_syscalls.hpp"
#include "sys/running_program.hpp"

namespace echod::test {
namespace {

constexpr const char* kMaps = "/proc/self/maps";

TEST(RunningProgramFailureTest, AFileThatCannotBeOpenedHasNoVersion) {
  ScriptedKernel kernel;
  kernel.expect_open_error("/usr/sbin/echod", EINTR);
  kernel.expect_open_error("/usr/sbin/echod", EMFILE);
  EXPECT_FALSE(sys::version_of("/usr/sbin/echod"));
}

TEST(RunningProgramFailureTest, MapsAreReadInPieces) {
  ScriptedKernel kernel;
  kernel.expect_open(kMaps, kFd);
  kernel.expect_read(kFd, "1000-2000 r-xp 0 fe:00 1 /usr/lib/a.s");
  kernel.expect_read_error(kFd, EINTR);
  kernel.expect_read(kFd, "o (deleted)\n");
  kernel.expect_read(kFd, "");
  kernel.expect_close(kFd);
  EXPECT_EQ(sys::deleted_code_file(), "/usr/lib/a.so");
}

TEST(RunningProgramFailureTest, MapsThatCannotBeReadHaveNoDeletedFile) {
  ScriptedKernel kernel;
  kernel.expect_open_error(kMaps, EMFILE);
  EXPECT_EQ(sys::deleted_code_file(), "");
  kernel.expect_open(kMaps, kFd);
  kernel.expect_read_error(kFd, EIO);
  kernel.expect_close(kFd);
  EXPECT_EQ(sys::deleted_code_file(), "");
}

}  // namespace
}  // namespace echod::test
