// Children of the real kernel. child_process_failure_test has the calls that fail.
#include "sys/child_process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "allocations.hpp"
#include "background.hpp"
#include "deadline.hpp"
#include "descriptors.hpp"
#include "files.hpp"
#include "sys/event_fd.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

class RunChildTest : public testing::Test {
 protected:
  sys::ChildOutcome run_program(const std::string& path, std::vector<std::string> arguments,
                                std::chrono::milliseconds limit = kPatience) {
    std::vector<std::string> all{"name"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return sys::run_child(sys::PreparedExec(path, all, {"PATH=/usr/bin:/bin", "COLOUR=blue"}),
                          state_.fd(), sys::MonotonicClock::now() + limit);
  }
  sys::ChildOutcome run_script(const std::string& text,
                               std::chrono::milliseconds limit = kPatience) {
    return run_program("/bin/sh", {"-c", text}, limit);
  }
  // Expects that the child ended by itself.
  static void expect_end(const sys::ChildOutcome& outcome, int exit_code, int signal = 0) {
    EXPECT_EQ(outcome.failed_call, nullptr);
    EXPECT_FALSE(outcome.has_timed_out);
    EXPECT_FALSE(outcome.is_output_cut);
    EXPECT_EQ(outcome.exit_code, exit_code);
    EXPECT_EQ(outcome.signal, signal);
  }
  static bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0; }

  TemporaryDirectory directory_;
  StateFile state_;
};

TEST_F(RunChildTest, ACancelledOneIsKilled) {
  sys::EventFd cancel;
  cancel.signal();
  const sys::ChildOutcome outcome =
      sys::run_child(sys::PreparedExec("/bin/sleep", {"sleep", "1000"}, {}), state_.fd(),
                     sys::MonotonicClock::now() + kPatience, cancel.fd());
  EXPECT_EQ(outcome.failed_call, nullptr);
  EXPECT_TRUE(outcome.is_cancelled);
  EXPECT_FALSE(outcome.has_timed_out);
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, BothOutputsAndTheExitCodeAreReturned) {
  const sys::ChildOutcome outcome = run_script("echo one; echo two >&2; echo $COLOUR; exit 3");
  expect_end(outcome, 3);
  EXPECT_EQ(outcome.output, "one\nblue\n");
  EXPECT_EQ(outcome.errors, "two\n");
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, TheSignalThatEndedTheChildIsReturned) {
  expect_end(run_script("kill -SEGV $$"), 0, SIGSEGV);
}

TEST_F(RunChildTest, StandardInputIsEmptyAndTheStateCanBeRead) {
  EXPECT_EQ(run_script("cat; cat <&3").output, "state");
}

TEST_F(RunChildTest, TheChildHasNoOtherDescriptor) {
  // One that this process should have opened with CLOEXEC, and one that did.
  const int inherited = open("/dev/null", O_RDONLY);  // NOLINT(android-cloexec-open)
  const int own = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const sys::ChildOutcome outcome = run_program(copy_probe(directory_), {"descriptors"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  std::string numbers;
  for (const std::string& line : lines_of(outcome.output)) {
    constexpr std::string_view kBegin = "descriptor ";
    if (line.starts_with(kBegin)) {
      numbers += line.substr(kBegin.size(), 2);
    }
  }
  EXPECT_EQ(numbers, "0 1 2 3 ") << outcome.output;
  EXPECT_NE(outcome.output.find("descriptor 0 /dev/null\n"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("descriptor 3 /memfd:state"), std::string::npos) << outcome.output;
  EXPECT_EQ(fcntl(state_.fd(), F_GETFD), FD_CLOEXEC);
  (void)close(inherited);
  (void)close(own);
}

// dup2(2) of a descriptor to its own number would keep CLOEXEC.
TEST_F(RunChildTest, TheStateMayHaveTheNumberOfThePassedDescriptor) {
  const int before = fcntl(sys::kPassedDescriptor, F_DUPFD_CLOEXEC, 0);
  ASSERT_EQ(dup3(state_.fd(), sys::kPassedDescriptor, O_CLOEXEC), sys::kPassedDescriptor);
  const sys::ChildOutcome outcome =
      sys::run_child(sys::PreparedExec("/bin/sh", {"sh", "-c", "cat <&3"}, {"PATH=/usr/bin:/bin"}),
                     sys::kPassedDescriptor, sys::MonotonicClock::now() + kPatience);
  EXPECT_EQ(outcome.output, "state") << outcome.errors;
  EXPECT_EQ(fcntl(sys::kPassedDescriptor, F_GETFD), FD_CLOEXEC);
  if (before >= 0) {
    (void)dup3(before, sys::kPassedDescriptor, O_CLOEXEC);
    (void)close(before);
  } else {
    (void)close(sys::kPassedDescriptor);
  }
}

TEST_F(RunChildTest, SignalsAreNeitherBlockedNorIgnoredInTheChild) {
  sigset_t hup;
  sigset_t before;
  sigemptyset(&hup);
  sigaddset(&hup, SIGHUP);
  (void)pthread_sigmask(SIG_BLOCK, &hup, &before);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGCHLD}) {
    (void)std::signal(signal, SIG_IGN);
  }
  const sys::ChildOutcome outcome =
      run_program("/bin/grep", {"-hE", "^Sig(Blk|Ign):", "/proc/self/status"});
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGCHLD}) {
    (void)std::signal(signal, SIG_DFL);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const std::vector<std::string> lines = lines_of(outcome.output);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "SigBlk:\t0000000000000000");
  // The C library may ignore signals that it uses itself.
  const std::uint64_t ignored = std::stoull(lines[1].substr(lines[1].find('\t')), nullptr, 16);
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGCHLD}) {
    EXPECT_EQ(ignored >> (signal - 1) & 1U, 0U) << signal;
  }
}

// As in echod after reap_children(), where the kernel discards exit codes.
TEST_F(RunChildTest, TheExitCodeIsKnownWhileSigchldIsIgnored) {
  (void)std::signal(SIGCHLD, SIG_IGN);
  expect_end(run_script("exit 3"), 3);
  expect_end(run_script("kill -SEGV $$"), 0, SIGSEGV);
  EXPECT_EQ(std::signal(SIGCHLD, SIG_DFL), SIG_IGN);
}

TEST_F(RunChildTest, OtherChildrenThatEndMeanwhileAreReapedAgain) {
  (void)std::signal(SIGCHLD, SIG_IGN);
  const pid_t other = fork();
  if (other == 0) {
    (void)pause();
    _exit(0);
  }
  const std::string process = "/proc/" + std::to_string(other);
  // Ends the other child and waits until it is a zombie. The thread that ThreadSanitizer has in
  // each process must have ended, too: until then the child cannot be reaped.
  const sys::ChildOutcome outcome = run_script("kill -KILL " + std::to_string(other) +
                                               "; until [ $(grep -cE '^State:.Z|^Threads:.1$' " +
                                               process + "/status) = 2 ]; do :; done");
  expect_end(outcome, 0);
  EXPECT_FALSE(std::filesystem::exists(process));
  EXPECT_EQ(std::signal(SIGCHLD, SIG_DFL), SIG_IGN);
}

TEST_F(RunChildTest, ChildrenAreKeptIfTheProcessKeepsThem) {
  const pid_t other = fork();
  if (other == 0) {
    _exit(7);
  }
  expect_end(run_script("exit 3"), 3);
  int status = 0;
  EXPECT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(RunChildTest, AChildThatHangsIsKilledAtTheDeadline) {
  const sys::ChildOutcome outcome =
      run_script("echo before; exec sleep 1000", std::chrono::milliseconds(300));
  EXPECT_TRUE(outcome.has_timed_out);
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, AChildThatClosesItsOutputsAndHangsIsKilledAtTheDeadline) {
  const sys::ChildOutcome outcome =
      run_script("exec sleep 1000 >&- 2>&-", std::chrono::milliseconds(300));
  EXPECT_TRUE(outcome.has_timed_out);
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, AChildThatPrintsForeverIsKilledAtTheDeadline) {
  const sys::ChildOutcome outcome = run_script("exec yes >&2", std::chrono::milliseconds(300));
  EXPECT_TRUE(outcome.has_timed_out);
  EXPECT_LE(outcome.errors.size(), sys::kMostChildErrors);
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, AProcessThatTheChildLeavesBehindIsNotWaitedFor) {
  const sys::ChildOutcome outcome = run_script("sleep 1000 & echo $!");
  expect_end(outcome, 0);
  EXPECT_EQ(kill(std::stoi(outcome.output), SIGKILL), 0);
}

TEST_F(RunChildTest, OutputUpToTheLimitIsComplete) {
  const sys::ChildOutcome outcome = run_script("head -c 1048576 /dev/zero");
  expect_end(outcome, 0);
  EXPECT_EQ(outcome.output.size(), sys::kMostChildOutput);
}

TEST_F(RunChildTest, AChildThatPrintsMoreIsKilled) {
  const sys::ChildOutcome outcome = run_script("head -c 1048577 /dev/zero; exec sleep 1000");
  EXPECT_TRUE(outcome.is_output_cut);
  EXPECT_EQ(outcome.output.size(), sys::kMostChildOutput);
  EXPECT_FALSE(has_children());
}

TEST_F(RunChildTest, TheEndOfLongErrorsIsKept) {
  const sys::ChildOutcome outcome = run_script("head -c 100000 /dev/zero >&2; echo end >&2");
  expect_end(outcome, 0);
  EXPECT_EQ(outcome.errors.size(), sys::kMostChildErrors);
  EXPECT_TRUE(outcome.errors.ends_with("end\n"));
}

TEST_F(RunChildTest, TheChildIsKilledIfThereIsNoMemoryForItsOutput) {
  const sys::PreparedExec program(
      "/bin/sh", {"sh", "-c", "head -c 1000 /dev/zero; exec sleep 1000"}, {"PATH=/usr/bin:/bin"});
  const std::ptrdiff_t before = open_descriptors();
  constexpr std::size_t kLarge = 500;
  for (const std::uint64_t spared : {0U, 1U}) {  // The buffer for reading, and the text.
    const AllocationFailure no_memory(kLarge, spared);
    EXPECT_THROW((void)sys::run_child(program, state_.fd(), sys::MonotonicClock::now() + kPatience),
                 std::bad_alloc);
  }
  EXPECT_FALSE(has_children());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(RunChildTest, WorksWhileOtherThreadsAllocateAndOpenFiles) {
  Background work([](const std::atomic<bool>& is_over) {
    while (!is_over) {
      const std::string text = read_file("/proc/self/stat");
      if (text.empty()) {
        throw std::runtime_error("no /proc/self/stat");
      }
    }
  });
  for (int round = 0; round < 20; ++round) {
    const sys::ChildOutcome outcome = run_script("echo $$; exit 5");
    expect_end(outcome, 5);
    EXPECT_FALSE(outcome.output.empty());
  }
  work.finish();
}

}  // namespace
}  // namespace echod::test
