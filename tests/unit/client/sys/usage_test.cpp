#include "client/sys/usage.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <string>
#include <thread>

#include "deadline.hpp"

namespace echod::test {
namespace {

using std::chrono::nanoseconds;

nanoseconds cpu(const sys::ServerUsage& usage) {
  return usage.user + usage.system;
}

// Uses CPU time until `done` returns true or the deadline passes.
template <typename Done>
bool burn_until(Done done) {
  const Deadline deadline;
  volatile unsigned sink = 0;
  while (!done() && !deadline.has_passed()) {
    for (unsigned i = 0; i < 1'000'000; ++i) {
      sink = sink + i;
    }
  }
  return done();
}

TEST(UsageTest, OurOwnCpuTimeGrowsAsWeUseIt) {
  const auto before = sys::process_usage(getpid());
  ASSERT_TRUE(before);
  EXPECT_TRUE(burn_until([&] { return cpu(*sys::process_usage(getpid())) > cpu(*before); }));
}

TEST(UsageTest, OurOwnMemoryAndSwitchesAreReported) {
  const auto usage = sys::process_usage(getpid());
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->resident_bytes, 100'000U);
  EXPECT_EQ(usage->resident_bytes % 1024, 0U);
}

TEST(UsageTest, ThreadsMayEndMeanwhile) {
  std::atomic<bool> is_over{false};
  std::thread churn([&is_over] {
    while (!is_over) {
      std::array<std::thread, 20> threads;
      for (std::thread& thread : threads) {
        thread = std::thread([] {});
      }
      for (std::thread& thread : threads) {
        thread.join();
      }
    }
  });
  for (int i = 0; i < 300; ++i) {
    EXPECT_NO_THROW(EXPECT_TRUE(sys::process_usage(getpid())));
  }
  is_over = true;
  churn.join();
}

TEST(UsageTest, AMissingProcessHasNoUsage) {
  EXPECT_EQ(sys::process_usage(0), std::nullopt);
  EXPECT_EQ(sys::process_usage(-1), std::nullopt);
  const pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(sys::process_usage(child), std::nullopt);
}

// A process with a given name that has used some CPU time.
class NamedProcess {
 public:
  explicit NamedProcess(const char* name) {
    std::array<int, 2> ready{};
    EXPECT_EQ(pipe(ready.data()), 0);
    pid_ = fork();
    if (pid_ == 0) {
      (void)prctl(PR_SET_NAME, name);
      (void)burn_until([] {
        const auto usage = sys::process_usage(getpid());
        return usage && cpu(*usage) > nanoseconds(0);
      });
      (void)write(ready[1], "!", 1);
      (void)pause();
      _exit(0);
    }
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
  }
  ~NamedProcess() {
    (void)kill(pid_, SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }
  NamedProcess(const NamedProcess&) = delete;
  NamedProcess& operator=(const NamedProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

TEST(UsageTest, ANameWithSpacesAndParenthesesIsSkipped) {
  for (const char* const name : {"a b", ") S 1 2 3 (", "x) R 9 9 9 9", "((", "\n) 1 2\n"}) {
    const NamedProcess process(name);
    const auto usage = sys::process_usage(process.pid());
    ASSERT_TRUE(usage) << name;
    EXPECT_GT(cpu(*usage), nanoseconds(0)) << name;
    EXPECT_LT(cpu(*usage), std::chrono::hours(1)) << name;
    EXPECT_GT(usage->resident_bytes, 0U) << name;
  }
}

TEST(UsageTest, AThreadsOwnTimeGrowsAndIsNotThatOfOthers) {
  const sys::ThreadUsage before = sys::thread_usage();
  EXPECT_TRUE(burn_until([&] { return sys::thread_usage().running > before.running; }));
  const sys::ThreadUsage mine = sys::thread_usage();
  sys::ThreadUsage others{};
  std::thread other([&others] { others = sys::thread_usage(); });
  other.join();
  EXPECT_LT(others.running, mine.running);
  EXPECT_GE(others.waiting, nanoseconds(0));
}

}  // namespace
}  // namespace echod::test
