// Reports on standard error, which must not block for long.
#include "service/standard_error.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "background.hpp"
#include "pseudo_terminal.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

// Redirects standard error while it exists.
class RedirectedStderr {
 public:
  explicit RedirectedStderr(int fd) : saved_(dup(STDERR_FILENO)) {
    EXPECT_GE(dup2(fd, STDERR_FILENO), 0);
  }
  ~RedirectedStderr() {
    (void)dup2(saved_, STDERR_FILENO);
    (void)close(saved_);
  }
  RedirectedStderr(const RedirectedStderr&) = delete;
  RedirectedStderr& operator=(const RedirectedStderr&) = delete;

 private:
  int saved_;
};

TEST(ReportOnStderrTest, WritesTheLineAfterThePrefix) {
  testing::internal::CaptureStderr();
  report_on_stderr("a line");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "echod: a line\n");
}

TEST(ReportOnStderrTest, ToTheJournalWritesTheLineAfterThePriorityOfAnError) {
  testing::internal::CaptureStderr();
  struct stat status {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  const std::string stream = std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
  setenv("JOURNAL_STREAM", stream.c_str(), 1);
  report_on_stderr("a line");
  setenv("JOURNAL_STREAM", "", 1);
  report_on_stderr("another");
  unsetenv("JOURNAL_STREAM");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<3>a line\nechod: another\n");
}

// The timeout is for the whole line, not for each part.
TEST(ReportOnStderrTest, ASlowPipeDoesNotExtendTheTimeout) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  Background reader([&ends](const std::atomic<bool>& is_over) {
    std::array<char, 4096> bytes{};
    while (!is_over && read(ends[0], bytes.data(), bytes.size()) > 0) {
      std::this_thread::sleep_for(50ms);  // Makes it slow.
    }
  });
  const auto before = std::chrono::steady_clock::now();
  {
    const RedirectedStderr pipe(ends[1]);
    report_on_stderr(std::string(1024 * 1024, 'x'));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s) << "256 parts, 50 ms each";
  (void)close(ends[1]);
  reader.finish();
  (void)close(ends[0]);
}

TEST(ReportOnStderrTest, ATerminalThatIsNotReadDoesNotBlock) {
  const PseudoTerminal terminal;
  terminal.fill();
  const RedirectedStderr redirected(terminal.fd());
  report_on_stderr(std::string(10000, 'x'));  // Returns.
}

}  // namespace
}  // namespace echod::test
