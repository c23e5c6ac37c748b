// Which SIGHUP means that the terminal has closed. signals_test has real terminals.
#include "sys/terminal.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

constexpr const char* kFile = "/proc/self/stat";

class TerminalOfTheProcessTest : public testing::Test {
 protected:
  void expect_terminal(int number) {
    constexpr int kFd = 7;
    kernel_.expect_open(kFile, kFd);
    kernel_.expect_read(kFd, "4711 (a) name) S 1 4711 4711 " + std::to_string(number) + " -1 0\n");
    kernel_.expect_close(kFd);
  }
  // Like the signal of a shell of this session.
  static signalfd_siginfo sent_by(pid_t process) {
    signalfd_siginfo signal{};
    signal.ssi_code = SI_USER;
    signal.ssi_pid = static_cast<std::uint32_t>(process);
    return signal;
  }
  static signalfd_siginfo sent_by_the_kernel() {
    signalfd_siginfo signal{};
    signal.ssi_code = SI_KERNEL;
    return signal;
  }

  ScriptedKernel kernel_;
};

TEST_F(TerminalOfTheProcessTest, HasHungUpIfTheKernelSaysSo) {
  expect_terminal(34816);
  const sys::Terminal terminal;
  EXPECT_TRUE(terminal.has_hung_up(sent_by_the_kernel()));
}

TEST_F(TerminalOfTheProcessTest, HasHungUpIfItIsGoneWhenTheSessionSignals) {
  expect_terminal(34816);
  const sys::Terminal terminal;
  expect_terminal(34816);
  EXPECT_FALSE(terminal.has_hung_up(sent_by(getpid())));
  expect_terminal(0);
  EXPECT_TRUE(terminal.has_hung_up(sent_by(getpid())));
}

// If no descriptor is free, the request of a reload must not stop the daemon.
TEST_F(TerminalOfTheProcessTest, CountsAsOpenIfItsStateIsNotKnown) {
  expect_terminal(34816);
  const sys::Terminal terminal;
  kernel_.expect_open_error(kFile, EMFILE);
  EXPECT_FALSE(terminal.has_hung_up(sent_by(getpid())));
}

// A process outside of a container has the ID 0 inside.
TEST_F(TerminalOfTheProcessTest, CountsAsOpenWhenAProcessOutsideOfTheContainerSignals) {
  expect_terminal(34816);
  const sys::Terminal terminal;
  EXPECT_FALSE(terminal.has_hung_up(sent_by(0)));
}

// A container whose processes are one session without a terminal.
TEST_F(TerminalOfTheProcessTest, CannotHangUpIfThereWasNone) {
  expect_terminal(0);
  const sys::Terminal terminal;
  EXPECT_FALSE(terminal.has_hung_up(sent_by(getpid())));
  EXPECT_FALSE(terminal.has_hung_up(sent_by_the_kernel()));
  kernel_.verify();
}

}  // namespace
}  // namespace echod::test
