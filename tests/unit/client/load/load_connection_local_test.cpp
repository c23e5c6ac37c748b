// A connection of a load run to a UNIX socket.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::LoadError;
using std::chrono::milliseconds;

constexpr int kFd = 11;

class LoadConnectionLocalTest : public LoadFixture {
 protected:
  LoadConnectionLocalTest() {
    plan_.server = client::Endpoint::at_path("/run/echo.sock");
    plan_.timeout = std::chrono::seconds(1);
  }
};

TEST_F(LoadConnectionLocalTest, IsOpenAtOnceAndEchoes) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, 0);
  connection.open();
  EXPECT_EQ(context_.tally.connected, 1U);
  expect_send(kFd, 0, kBytes);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_recv(kFd, 0, kBytes);
  kernel_.expect_recv_error(kFd, EAGAIN);
  expect_send(kFd, kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.tally.receive_lag.count(), 0U) << "the kernel gives no time stamps";
}

// A message with descriptors ends a read before the end of the data, and no event follows.
TEST_F(LoadConnectionLocalTest, ReadsOnAfterAShortRead) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, 0);
  connection.open();
  expect_send(kFd, 0, kBytes);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_recv(kFd, 0, kBytes / 2);
  expect_recv(kFd, kBytes / 2, kBytes / 2);
  kernel_.expect_recv_error(kFd, EAGAIN);
  expect_send(kFd, kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
}

TEST_F(LoadConnectionLocalTest, WaitsWhileTheAcceptQueueIsFull) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, EAGAIN);
  connection.open();
  EXPECT_EQ(context_.opening, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  kernel_.advance(milliseconds(300));
  kernel_.expect_epoll_wait({});
  iterate();
  expect_connect(kFd, EAGAIN);
  sweep();
  EXPECT_EQ(context_.opening, 1U);
  kernel_.advance(milliseconds(300));
  kernel_.expect_epoll_wait({});
  iterate();
  expect_connect(kFd, 0);
  sweep();
  kernel_.verify();
  EXPECT_EQ(context_.opening, 0U);
  EXPECT_EQ(context_.tally.connected, 1U);
  EXPECT_EQ(context_.tally.connect.max(), milliseconds(600)) << "the wait is part of the time";
}

TEST_F(LoadConnectionLocalTest, AQueueThatStaysFullIsATimeout) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, EAGAIN);
  connection.open();
  iterate_and_sweep(std::chrono::seconds(1));
  EXPECT_EQ(errors(LoadError::connect_timeout), 1U);
  EXPECT_EQ(only_error(), "connection 0: the server's accept queue stayed full");
  EXPECT_EQ(context_.opening, 0U);
}

TEST_F(LoadConnectionLocalTest, IsRefusedIfNoServerListens) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, ECONNREFUSED);
  connection.open();
  EXPECT_EQ(errors(LoadError::refused), 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionLocalTest, AMissingSocketIsNamed) {
  client::LoadConnection& connection = make();
  expect_connect(kFd, ENOENT);
  connection.open();
  EXPECT_EQ(only_error(), "connection 0: cannot connect: No such file or directory");
}

}  // namespace
}  // namespace echod::test
