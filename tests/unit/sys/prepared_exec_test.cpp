#include "sys/prepared_exec.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "child_process.hpp"
#include "files.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

std::vector<std::string> strings_of(char* const* pointers) {
  std::vector<std::string> strings;
  for (; *pointers != nullptr; ++pointers) {
    strings.emplace_back(*pointers);
  }
  return strings;
}

TEST(PreparedExecTest, HasTheArraysThatExecTakesAlsoAfterAMove) {
  sys::PreparedExec first("/bin/a", {"a", "", "long " + std::string(100, 'x')}, {"A=1"});
  const sys::PreparedExec program(std::move(first));
  EXPECT_EQ(program.path(), "/bin/a");
  EXPECT_EQ(strings_of(program.arguments()),
            (std::vector<std::string>{"a", "", "long " + std::string(100, 'x')}));
  EXPECT_EQ(strings_of(program.environment()), std::vector<std::string>{"A=1"});
}

TEST(PreparedExecTest, TheEnvironmentIsCopied) {
  setenv("ECHOD_TEST_VALUE", "a=b", 1);
  const std::vector<std::string> variables = sys::environment();
  unsetenv("ECHOD_TEST_VALUE");
  EXPECT_NE(std::find(variables.begin(), variables.end(), "ECHOD_TEST_VALUE=a=b"), variables.end());
}

// A descriptor with CLOEXEC for the time of a test.
class Descriptor {
 public:
  Descriptor() : fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() { (void)close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool has_cloexec() const { return fcntl(fd_, F_GETFD) == FD_CLOEXEC; }

 private:
  int fd_;
};

TEST(ReplaceProgramTest, AFileThatCannotBeExecutedChangesNothing) {
  const Descriptor first;
  const Descriptor second;
  const std::array<int, 2> kept{first.get(), second.get()};
  const sys::PreparedExec missing("/nowhere/echod", {"echod"}, {});
  EXPECT_EQ(sys::replace_program(missing, kept), ENOENT);
  const sys::PreparedExec directory("/", {"echod"}, {});
  EXPECT_EQ(sys::replace_program(directory, kept), EACCES);
  constexpr std::size_t kTooLong = std::size_t{32} * 1024 * 1024;
  const sys::PreparedExec too_long("/bin/true", {std::string(kTooLong, 'x')}, {});
  EXPECT_EQ(sys::replace_program(too_long, kept), E2BIG);
  EXPECT_TRUE(first.has_cloexec());
  EXPECT_TRUE(second.has_cloexec());
}

TEST(ReplaceProgramTest, NothingIsAllocated) {
  const Descriptor first;
  const int kept = first.get();
  const sys::PreparedExec missing("/nowhere/echod", {"echod"}, {});
  const std::uint64_t before = allocations();
  const int error = sys::replace_program(missing, std::span(&kept, 1));
  EXPECT_EQ(allocations(), before);
  EXPECT_EQ(error, ENOENT);
}

TEST(ReplaceProgramTest, AClosedDescriptorChangesNothing) {
  const Descriptor first;
  const Descriptor last;
  constexpr int kClosed = 987;
  const std::array<int, 3> kept{first.get(), kClosed, last.get()};
  EXPECT_EQ(sys::replace_program(sys::PreparedExec("/bin/true", {"true"}, {}), kept), EBADF);
  EXPECT_TRUE(first.has_cloexec());
  EXPECT_TRUE(last.has_cloexec());
}

TEST(ReplaceProgramTest, AnotherThreadThanTheMainThreadIsABug) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::thread([] {
                (void)sys::replace_program(sys::PreparedExec("/bin/true", {"true"}, {}), {});
              }).join(),
              testing::KilledBySignal(SIGABRT), "only the main thread replaces the program");
}

// The probe replaces itself, and the new program prints what it has.
class ReplaceProgramByProbeTest : public testing::Test {
 protected:
  ChildResult replace_by(const std::string& next, pid_t* pid = nullptr) {
    ChildProcess child({.arguments = {copy_probe(directory_), "replace"},
                        .environment = {"PROBE_NEXT=" + next, "LISTEN_FDS=1"}});
    if (pid != nullptr) {
      *pid = child.pid();
    }
    const int exit_code = child.wait().value_or(-1);
    return {.exit_code = exit_code, .out = child.out(), .err = child.err()};
  }

  TemporaryDirectory directory_;
};

TEST_F(ReplaceProgramByProbeTest, TheNewProgramHasTheProcessTheSignalMaskAndTheDescriptors) {
  pid_t pid = 0;
  const ChildResult result = replace_by(directory_.file("upgrade_probe"), &pid);
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  const std::vector<std::string> lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 9U) << result.out;
  EXPECT_EQ(lines[0], "pid " + std::to_string(pid));
  EXPECT_EQ(lines[1], "descriptor 0 /dev/null");
  EXPECT_EQ(lines[4], "descriptor 3 /dev/null");  // Of the two that were open only the first.
  EXPECT_EQ(lines[5], "Name:\tupgrade_probe");
  EXPECT_EQ(lines[6], "SigBlk:\t0000000000000001");  // SIGHUP.
  EXPECT_EQ(lines[8], "state 3");
}

TEST_F(ReplaceProgramByProbeTest, TheOldProgramGoesOnIfTheNewOneCannotBeExecuted) {
  write_file(directory_.file("next"), "not a program");
  EXPECT_EQ(replace_by(directory_.file("next")).out, "error Permission denied\nflags " +
                                                         std::to_string(FD_CLOEXEC) + ' ' +
                                                         std::to_string(FD_CLOEXEC) + '\n');
}

}  // namespace
}  // namespace echod::test
