#include "service/stdin_watch.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "loop/event_loop.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class StdinWatchTest : public testing::Test {
 protected:
  StdinWatchTest() { kernel_.set_file_type(STDIN_FILENO, S_IFIFO); }

  // A pipe or a terminal is opened again, for non-blocking reads.
  void watch() {
    kernel_.expect_open("/proc/self/fd/0", kFd);
    watch_.emplace(loop_, [this] { ++quits_; });
  }

  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }
  // Standard input is readable and gives `text`.
  void type(const std::string& text) {
    kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}}, -1);
    kernel_.expect_read(kFd, text);
    iterate();
  }
  void expect_rest() {
    kernel_.expect_epoll_wait({}, -1);
    iterate();
  }

  int quits_ = 0;
  ScriptedKernel kernel_;
  EventLoop loop_;
  std::optional<StdinWatch> watch_;
};

TEST_F(StdinWatchTest, ThatCannotBeWatchedIsAnErrorAndNotItsEnd) {
  kernel_.expect_open("/proc/self/fd/0", kFd);
  kernel_.expect_add(STDIN_FILENO, EPOLLIN | EPOLLET, ENOSPC);
  EXPECT_THROW(StdinWatch(loop_, [this] { ++quits_; }), std::system_error);
  expect_rest();
  EXPECT_EQ(quits_, 0);
}

TEST_F(StdinWatchTest, ALineQuitsOnce) {
  watch();
  type("q\n");
  EXPECT_EQ(quits_, 1);
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN | EPOLLHUP}});
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, PartOfALineDoesNotQuitUntilItsEndComes) {
  watch();
  type("qu");
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(quits_, 0);
  type("it\n");
  EXPECT_EQ(quits_, 1);
}

// printf abc | echod --quit-on-stdin: one event for both.
TEST_F(StdinWatchTest, EndOfFileAfterPartOfALineQuits) {
  watch();
  type("abc");
  EXPECT_EQ(quits_, 0);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read(kFd, "");
  iterate();
  EXPECT_EQ(quits_, 1);
  expect_rest();
}

TEST_F(StdinWatchTest, EndOfFileQuits) {
  watch();
  type("");
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, AHangUpOfATerminalQuits) {
  watch();
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN | EPOLLHUP}});
  kernel_.expect_read_error(kFd, EIO);
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, ALineLongerThanAReadQuitsAtItsEnd) {
  watch();
  type(std::string(4096, 'x'));
  EXPECT_EQ(quits_, 0);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read(kFd, "x\n");
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, ASpuriousEventOrASignalDoesNotQuit) {
  watch();
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  kernel_.expect_read_error(kFd, EINTR);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(quits_, 0);
  expect_rest();
}

TEST_F(StdinWatchTest, ABackgroundJobOfATerminalDoesNotQuit) {
  watch();
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  kernel_.expect_read_error(kFd, EIO);
  iterate();
  EXPECT_EQ(quits_, 0);
  type("q\n");
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, AHangUpAfterPartOfALineQuits) {
  watch();
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN | EPOLLHUP}});
  kernel_.expect_read(kFd, "abc");
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read_error(kFd, EIO);
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, ASocketIsReadWithoutBlocking) {
  kernel_.set_file_type(STDIN_FILENO, S_IFSOCK);
  const StdinWatch watch(loop_, [this] { ++quits_; });
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  kernel_.expect_recv(STDIN_FILENO, "q\n", MSG_DONTWAIT);
  iterate();
  EXPECT_EQ(quits_, 1);
}

// /proc is missing, or the terminal belongs to another user.
TEST_F(StdinWatchTest, AStreamThatCannotBeOpenedAgainIsReadOnlyWhenItIsReady) {
  kernel_.expect_open_error("/proc/self/fd/0", EACCES);
  const StdinWatch watch(loop_, [this] { ++quits_; });
  kernel_.set_ready(STDIN_FILENO, false);
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  iterate();
  EXPECT_EQ(quits_, 0);
  kernel_.set_ready(STDIN_FILENO, true);
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  kernel_.expect_read(STDIN_FILENO, "q\n");
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, AFileThatEpollRefusesCountsAsAtItsEnd) {
  kernel_.set_file_type(STDIN_FILENO, S_IFREG);
  kernel_.expect_add(STDIN_FILENO, EPOLLIN | EPOLLET, EPERM);
  const StdinWatch watch(loop_, [this] { ++quits_; });
  EXPECT_EQ(quits_, 0);  // The loop calls on_quit, not the constructor.
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(quits_, 1);
  expect_rest();
}

TEST_F(StdinWatchTest, DestructionEndsTheWatchAndLeavesStandardInputOpen) {
  watch();
  watch_.reset();
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  iterate();
  EXPECT_EQ(quits_, 0);
  EXPECT_FALSE(kernel_.was_closed(STDIN_FILENO));
}

}  // namespace
}  // namespace echod::test
