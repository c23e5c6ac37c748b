#include "loop/signal_watch.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "loop/event_loop.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

// The errno and the call that `make` fails with.
template <typename Make>
std::pair<int, std::string> failure_of(Make make) {
  try {
    make();
  } catch (const std::system_error& error) {
    const std::string what = error.what();
    return {error.code().value(), what.substr(0, what.find(':'))};
  }
  return {};
}

TEST(SignalWatchTest, NamesTheCallThatFailedToOpenTheDescriptor) {
  ScriptedKernel kernel;
  kernel.expect_signalfd(-1, EMFILE);
  EXPECT_EQ(failure_of([] { const sys::SignalFd signals({SIGUSR1}); }),
            (std::pair<int, std::string>(EMFILE, "signalfd")));
}

TEST(SignalWatchTest, NamesTheCallThatFailedToRegister) {
  ScriptedKernel kernel;
  EventLoop loop;
  sys::SignalFd signals({SIGUSR1});
  kernel.expect_add(signals.fd(), EPOLLIN | EPOLLET, ENOSPC);
  EXPECT_EQ(failure_of([&] { const SignalWatch watch(loop, signals, [](int) {}); }),
            (std::pair<int, std::string>(ENOSPC, "epoll_ctl")));
}

TEST(SignalWatchTest, ReportsEachPendingSignalAndThenWaits) {
  ScriptedKernel kernel;
  EventLoop loop;
  sys::SignalFd signals({SIGUSR1, SIGUSR2});
  std::vector<int> told;
  const SignalWatch watch(loop, signals, [&told](int signal) { told.push_back(signal); });
  kernel.raise(SIGUSR2);
  kernel.raise(SIGUSR1);
  kernel.expect_epoll_wait({{signals.fd(), EPOLLIN}}, -1);
  loop.run_once();
  EXPECT_EQ(told, (std::vector<int>{SIGUSR2, SIGUSR1}));
  kernel.expect_epoll_wait({}, -1);
  loop.run_once();
  EXPECT_EQ(told.size(), 2U);
}

}  // namespace
}  // namespace echod::test
