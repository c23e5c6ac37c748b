// Checks on a scripted kernel that refuses calls.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>

#include "scripted_syscalls.hpp"
#include "upgrade/program_check.hpp"

namespace echod::test {
namespace {

TEST(ProgramCheckFailureTest, ACallThatFailsIsNamed) {
  const ProgramFile program("/bin/true", {"true"});
  ScriptedKernel kernel;
  kernel.expect_pipe_error(EMFILE);
  const CheckResult result = check_program(program, kFd, std::chrono::seconds(10));
  EXPECT_EQ(result.refusal, "/bin/true cannot be checked: pipe2: Too many open files");
}

}  // namespace
}  // namespace echod::test
