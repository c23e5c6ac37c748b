// The files of the program on a scripted kernel that refuses calls.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "scripted_syscalls.hpp"
#include "sys/running_program.hpp"

namespace echod::test {
namespace {

constexpr const char* kMaps = "/proc/self/maps";

template <typename Call>
std::string error_of(Call call) {
  try {
    (void)call();
  } catch (const std::system_error& error) {
    return error.what();
  }
  return "no error";
}

TEST(RunningProgramFailureTest, AFileThatCannotBeOpenedIsAnErrorAndAMissingOneIsNot) {
  ScriptedKernel kernel;
  kernel.expect_open_error("/usr/sbin/echod", EINTR);
  kernel.expect_open_error("/usr/sbin/echod", EMFILE);
  EXPECT_EQ(error_of([] { return sys::version_of("/usr/sbin/echod"); }),
            "open /usr/sbin/echod: Too many open files");
  for (const int missing : {ENOENT, ENOTDIR}) {
    kernel.expect_open_error("/usr/sbin/echod", missing);
    EXPECT_FALSE(sys::version_of("/usr/sbin/echod"));
  }
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

TEST(RunningProgramFailureTest, MapsThatCannotBeReadAreAnErrorAndMissingOnesAreNot) {
  ScriptedKernel kernel;
  kernel.expect_open_error(kMaps, ENOENT);
  EXPECT_EQ(sys::deleted_code_file(), "");
  kernel.expect_open_error(kMaps, EMFILE);
  EXPECT_EQ(error_of(sys::deleted_code_file), "open /proc/self/maps: Too many open files");
  kernel.expect_open(kMaps, kFd);
  kernel.expect_read_error(kFd, EIO);
  kernel.expect_close(kFd);
  EXPECT_EQ(error_of(sys::deleted_code_file), "read /proc/self/maps: Input/output error");
}

}  // namespace
}  // namespace echod::test
