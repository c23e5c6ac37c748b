// Errors of the kernel, of each class, in each state that meets them.
#include <gtest/gtest.h>

#include <cerrno>

#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

struct ErrorClass {
  const char* name;
  int error;
  CloseReason reason;
};

class ConnectionErrorTest : public EchoFixture, public testing::WithParamInterface<ErrorClass> {};

TEST_P(ConnectionErrorTest, OfRecvEndsTheConnectionForItsReason) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP}});
  kernel_.expect_recv_error(kFd, GetParam().error);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(GetParam().reason), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
  EXPECT_EQ(shared_.admission.connections(), 0U);
}

TEST_P(ConnectionErrorTest, OfSendEndsTheConnectionForItsReason) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", GetParam().error);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(GetParam().reason), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
}

TEST_P(ConnectionErrorTest, OfSendWhileFlushingEndsTheConnectionForItsReason) {
  connect_owing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT | EPOLLERR | EPOLLHUP}});
  kernel_.expect_send_error(kFd, "llo", GetParam().error);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(GetParam().reason), 1U);
  EXPECT_EQ(closed_in_all(), 1U);
  EXPECT_EQ(context_.relay.buffered_bytes(), 0U);
}

TEST_P(ConnectionErrorTest, OfSendDoesNotHideThatBytesWereRead) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", GetParam().error);
  iterate();
  EXPECT_EQ(count(Counter::bytes_received), 5U);
  EXPECT_EQ(count(Counter::bytes_sent), 0U);
  EXPECT_EQ(count(Counter::empty_connections), 0U);
  EXPECT_TRUE(has_logged("debug close peer=192.0.2.1:5555 fd=7 in=5 out=0 "));
}

INSTANTIATE_TEST_SUITE_P(Each, ConnectionErrorTest,
                         testing::Values(ErrorClass{"Reset", ECONNRESET, CloseReason::reset},
                                         ErrorClass{"BrokenPipe", EPIPE, CloseReason::reset},
                                         ErrorClass{"TimedOut", ETIMEDOUT, CloseReason::timed_out},
                                         ErrorClass{"NoRoute", EHOSTUNREACH, CloseReason::io_error},
                                         ErrorClass{"NoMemory", ENOMEM, CloseReason::io_error}),
                         [](const auto& tested) { return tested.param.name; });

class ConnectionRefusedTest : public EchoFixture {};

TEST_F(ConnectionRefusedTest, ByEpollIsClosedAndCounted) {
  kernel_.expect_add(kFd, kReading, ENOSPC);
  kernel_.expect_close(kFd);
  connect(kFd);
  kernel_.verify();
  EXPECT_EQ(count(Counter::register_failures), 1U);
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  EXPECT_EQ(shared_.admission.connections(), 0U);
  EXPECT_TRUE(
      has_logged("error cannot add the connection from 192.0.2.1:5555 to epoll: No space left"));
  context_.table.destroy_retired();
  EXPECT_EQ(context_.table.size(), 0U);
}

}  // namespace
}  // namespace echod::test
