// Children that cannot be started. child_process_test has those that can.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <set>
#include <string>

#include "deadline.hpp"
#include "descriptors.hpp"
#include "scripted_syscalls.hpp"
#include "sys/child_process.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

class RunChildFailureTest : public testing::Test {
 protected:
  sys::ChildOutcome run(const std::string& path) { return run(path, state_.fd()); }
  static sys::ChildOutcome run(const std::string& path, int passed) {
    return sys::run_child(sys::PreparedExec(path, {path}, {}), passed,
                          sys::MonotonicClock::now() + kPatience);
  }
  static void expect_failure(const sys::ChildOutcome& outcome, const char* call, int error) {
    ASSERT_NE(outcome.failed_call, nullptr);
    EXPECT_STREQ(outcome.failed_call, call);
    EXPECT_EQ(outcome.error, error) << outcome.failed_call;
  }

  StateFile state_;
};

TEST_F(RunChildFailureTest, AFileThatCannotBeExecutedIsAFailureOfTheSpawn) {
  const std::ptrdiff_t before = open_descriptors();
  expect_failure(run("/nowhere/echod"), "posix_spawn", ENOENT);
  expect_failure(run("/"), "posix_spawn", EACCES);
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_LT(waitpid(-1, nullptr, WNOHANG), 0);
}

TEST_F(RunChildFailureTest, ThePipesAreClosedIfOneCannotBeOpened) {
  ScriptedKernel kernel;
  kernel.expect_pipe_error(EMFILE);
  expect_failure(run("/bin/true"), "pipe2", EMFILE);
  kernel.verify();
  EXPECT_EQ(kernel.open_pipes(), 0U);
}

TEST_F(RunChildFailureTest, ThePipesAreClosedIfTheChildCannotUseThem) {
  ScriptedKernel kernel;  // Its pipes do not exist in the real kernel.
  expect_failure(run("/bin/true"), "posix_spawn", EBADF);
  EXPECT_EQ(kernel.open_pipes(), 0U);
}

// Each number of free descriptors: too few for the pipes, for the pidfd, and enough.
TEST_F(RunChildFailureTest, EachShortageOfDescriptorsIsAnswered) {
  rlimit normal{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &normal), 0);
  const int passed =
      fcntl(state_.fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);  // The lowest free one.
  const std::ptrdiff_t before = open_descriptors();
  std::set<std::string> failed;
  sys::ChildOutcome outcome;
  rlimit few{.rlim_cur = static_cast<rlim_t>(passed) + 1, .rlim_max = normal.rlim_max};
  do {
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    outcome = run("/bin/true", passed);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &normal), 0);
    if (outcome.failed_call != nullptr) {
      EXPECT_EQ(outcome.error, EMFILE) << outcome.failed_call;
      failed.insert(outcome.failed_call);
    }
    EXPECT_EQ(open_descriptors(), before);
    ++few.rlim_cur;
  } while (outcome.failed_call != nullptr && few.rlim_cur < normal.rlim_cur);
  EXPECT_EQ(outcome.failed_call, nullptr);
  EXPECT_EQ(failed, (std::set<std::string>{"pidfd_open", "pipe2"}));
  (void)close(passed);
  // A child that was killed may be a zombie, which this process has not waited for.
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

// The C library checks the number.
TEST_F(RunChildFailureTest, ADescriptorAboveTheLimitIsAFailure) {
  rlimit normal{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &normal), 0);
  const rlimit few{.rlim_cur = static_cast<rlim_t>(state_.fd()), .rlim_max = normal.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const sys::ChildOutcome outcome = run("/bin/true");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &normal), 0);
  expect_failure(outcome, "posix_spawn_file_actions", EBADF);
}

TEST_F(RunChildFailureTest, TooLongArgumentsAreAFailureOfTheSpawn) {
  constexpr std::size_t kTooLong = std::size_t{32} * 1024 * 1024;
  const sys::ChildOutcome outcome =
      sys::run_child(sys::PreparedExec("/bin/true", {std::string(kTooLong, 'x')}, {}), state_.fd(),
                     sys::MonotonicClock::now() + kPatience);
  expect_failure(outcome, "posix_spawn", E2BIG);
}

}  // namespace
}  // namespace echod::test
