#include "sys/signal_fd.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <set>

#include "loop/event_loop.hpp"
#include "loop/signal_watch.hpp"
#include "sys/process.hpp"

namespace echod::test {
namespace {

// Restores the signal mask of the thread.
class SignalFdTest : public testing::Test {
 protected:
  SignalFdTest() { (void)pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  ~SignalFdTest() override { (void)pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

  static void raise_here(int signal) { ASSERT_EQ(pthread_kill(pthread_self(), signal), 0); }

 private:
  sigset_t mask_{};
};

TEST_F(SignalFdTest, ReadsPendingSignalsWhichDoNotKillTheProcess) {
  sys::SignalFd signals({SIGUSR1, SIGTERM});
  EXPECT_EQ(signals.read_signal(), std::nullopt);
  raise_here(SIGUSR1);
  raise_here(SIGTERM);
  pollfd watched{.fd = signals.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&watched, 1, 0), 1);
  const std::set<std::optional<int>> taken{signals.read_signal(), signals.read_signal()};
  EXPECT_EQ(taken, (std::set<std::optional<int>>{SIGUSR1, SIGTERM}));
  EXPECT_EQ(signals.read_signal(), std::nullopt);
}

TEST_F(SignalFdTest, ASignalAfterItsDestructionDoesNotKillTheProcess) {
  { const sys::SignalFd signals({SIGUSR1}); }
  raise_here(SIGUSR1);
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  int taken = 0;
  EXPECT_EQ(sigwait(&usr1, &taken), 0);
  EXPECT_EQ(taken, SIGUSR1);
}

TEST_F(SignalFdTest, SignalsAreTurnsOfALoop) {
  EventLoop loop;
  sys::SignalFd signals({SIGUSR1, SIGUSR2});
  std::multiset<int> seen;
  const SignalWatch watch(loop, signals, [&seen](int signal) { seen.insert(signal); });
  raise_here(SIGUSR1);
  raise_here(SIGUSR2);
  loop.run_once();
  EXPECT_EQ(seen, (std::multiset<int>{SIGUSR1, SIGUSR2}));
  raise_here(SIGUSR1);
  loop.run_once();
  EXPECT_EQ(seen.count(SIGUSR1), 2U);
}

TEST(WriteSignalsTest, IgnoredWriteSignalsLeaveTheErrorOfWrite) {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  const auto before_size = std::signal(SIGXFSZ, SIG_DFL);
  sys::ignore_write_signals();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  (void)close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  (void)close(ends[1]);
  (void)std::signal(SIGPIPE, before);
  EXPECT_EQ(std::signal(SIGXFSZ, before_size), SIG_IGN);
}

}  // namespace
}  // namespace echod::test
