#include "stdin_watch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "event_loop.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class StdinWatchTest : public testing::Test {
 protected:
  void iterate() {
    loop_.run_once();
    kernel_.verify();
  }
  // Standard input is readable and gives `text`.
  void type(const std::string& text) {
    kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}}, -1);
    kernel_.expect_read(STDIN_FILENO, text);
    iterate();
  }
  void expect_rest() {
    kernel_.expect_epoll_wait({}, -1);
    iterate();
  }

  int quits_ = 0;
  ScriptedKernel kernel_;
  EventLoop loop_;
};

TEST_F(StdinWatchTest, ALineQuitsOnce) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  type("q\n");
  EXPECT_EQ(quits_, 1);
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN | EPOLLHUP}});
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, PartOfALineDoesNotQuitUntilItsEndComes) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  kernel_.set_ready(STDIN_FILENO, false);
  type("qu");
  EXPECT_EQ(quits_, 0);
  type("it\n");
  EXPECT_EQ(quits_, 1);
}

// printf abc | echod --quit-on-stdin: one edge for both.
TEST_F(StdinWatchTest, EndOfFileThatCameWithPartOfALineQuits) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  type("abc");
  EXPECT_EQ(quits_, 0);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read(STDIN_FILENO, "");
  iterate();
  EXPECT_EQ(quits_, 1);
  expect_rest();
}

TEST_F(StdinWatchTest, EndOfFileQuits) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  type("");
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, AHangUpOfATerminalQuits) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN | EPOLLHUP}});
  kernel_.expect_read_error(STDIN_FILENO, EIO);
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, ALineLongerThanAReadQuitsAtItsEnd) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  type(std::string(4096, 'x'));
  EXPECT_EQ(quits_, 0);
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_read(STDIN_FILENO, "x\n");
  iterate();
  EXPECT_EQ(quits_, 1);
}

TEST_F(StdinWatchTest, ASpuriousEventOrASignalDoesNotQuit) {
  const StdinWatch watch(loop_, [this] { ++quits_; });
  for (const int error : {EAGAIN, EINTR}) {
    kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
    kernel_.expect_read_error(STDIN_FILENO, error);
    iterate();
  }
  EXPECT_EQ(quits_, 0);
}

TEST_F(StdinWatchTest, AFileThatEpollDoesNotTakeIsAtItsEnd) {
  kernel_.expect_add(STDIN_FILENO, EPOLLIN | EPOLLET, EPERM);
  const StdinWatch watch(loop_, [this] { ++quits_; });
  EXPECT_EQ(quits_, 0);  // From the loop, not from the constructor.
  kernel_.expect_epoll_wait({}, 0);
  iterate();
  EXPECT_EQ(quits_, 1);
  expect_rest();
}

TEST_F(StdinWatchTest, ThatGoesIsNotHeardOfAgainAndLeavesStandardInputOpen) {
  {
    const StdinWatch watch(loop_, [this] { ++quits_; });
  }
  kernel_.expect_epoll_wait({{STDIN_FILENO, EPOLLIN}});
  iterate();
  EXPECT_EQ(quits_, 0);
  EXPECT_FALSE(kernel_.was_closed(STDIN_FILENO));
}

}  // namespace
}  // namespace echod::test
