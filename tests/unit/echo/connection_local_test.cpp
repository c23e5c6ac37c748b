// Connections over UNIX sockets: the calls in which they differ from TCP.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <string>

#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class ConnectionLocalTest : public EchoFixture {
 protected:
  ConnectionLocalTest() { peer_ = SocketAddress::of_process(4711, 1000); }

  void expect_input(const std::string& bytes) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_recv(kFd, bytes);
    kernel_.expect_send(kFd, bytes);
  }
};

TEST_F(ConnectionLocalTest, AShortReadStandsInForEagain) {
  connect(kFd);
  expect_input("a");
  iterate();
  expect_input("b");
  iterate();
  expect_rest();
}

TEST_F(ConnectionLocalTest, AReadThatStoppedAtDescriptorsIsRepeated) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "a").passed_descriptors();
  kernel_.expect_send(kFd, "a");
  kernel_.expect_recv(kFd, "b").passed_descriptors();
  kernel_.expect_send(kFd, "b");
  kernel_.expect_recv(kFd, "c");
  kernel_.expect_send(kFd, "c");
  iterate();
  expect_rest();
}

TEST_F(ConnectionLocalTest, AReadThatStoppedAtDescriptorsIsRepeatedWithoutReplyBuffersToo) {
  set_buffers(kBlockBytes, 0);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "a").passed_descriptors();
  kernel_.expect_send(kFd, "a");
  kernel_.expect_discard(kFd, 1, 1);
  kernel_.expect_peek(kFd, "b");
  kernel_.expect_send(kFd, "b");
  kernel_.expect_discard(kFd, 1, 1);
  iterate();
  expect_rest();
}

TEST_F(ConnectionLocalTest, AReadThatStoppedAtDescriptorsIsRepeatedAfterAnUpgradeToo) {
  Connection& connection = connect(kFd);
  ParkedConnection next = connection.park();
  EXPECT_TRUE(next.peer.is_local());
  next.fd = kOther;
  context_.resume(next, nullptr);
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  kernel_.expect_recv(kOther, "a");
  kernel_.expect_send(kOther, "a");
  kernel_.expect_recv_error(kOther, EAGAIN);  // A FIN may have been reported before.
  iterate();
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  kernel_.expect_recv(kOther, "b").passed_descriptors();
  kernel_.expect_send(kOther, "b");
  kernel_.expect_recv_error(kOther, EAGAIN);
  iterate();
}

// recvmsg(2) with control data would put descriptors of the peer into this process. Another
// connection shows that all other reads are timed.
TEST_F(ConnectionLocalTest, NoReadIsTimed) {
  EchoSettings settings = context_.settings;
  settings.reads_per_sample = 1;
  context_.apply(settings);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello").arrived_before(1ms);
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(context_.server_delay.values().sum, 0ms);
  peer_ = *SocketAddress::parse("192.0.2.1", 5555);
  connect(kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLIN}});
  kernel_.expect_recv(kOther, "hello").arrived_before(1ms);
  kernel_.expect_send(kOther, "hello");
  iterate();
  EXPECT_EQ(context_.server_delay.values().sum, 1ms);
}

TEST_F(ConnectionLocalTest, NoReadIsTimedWithoutReplyBuffers) {
  set_buffers(kBlockBytes, 0);
  EchoSettings settings = context_.settings;
  settings.reads_per_sample = 1;
  context_.apply(settings);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello").arrived_before(1ms);
  kernel_.expect_send(kFd, "hello");
  kernel_.expect_discard(kFd, 5, 5);
  iterate();
  EXPECT_EQ(context_.server_delay.values().sum, 0ms);
}

TEST_F(ConnectionLocalTest, TheFinClosesItAtOnceWhateverThePeerHasRead) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv(kFd, "bye");
  kernel_.expect_send(kFd, "bye");
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
  EXPECT_TRUE(has_logged("close peer=unix:pid=4711,uid=1000 fd="));
}

TEST_F(ConnectionLocalTest, OwesOnlyWhatItKeeps) {
  Connection& connection = connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello", 2);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  kernel_.set_unacknowledged(kFd, 768);  // Of memory, for the two bytes.
  EXPECT_EQ(connection.owed_bytes(), 3U);
}

TEST_F(ConnectionLocalTest, WhatArrivesWhileItDrainsIsReadIntoMemory) {
  connect(kFd).begin_drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_shutdown(kFd, SHUT_WR);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_discard(kFd, 100, Relay::kPeekBytes);
  kernel_.expect_discard(kFd, 0);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(count(Counter::bytes_discarded), 100U);
  EXPECT_EQ(closed(CloseReason::drained), 1U);
}

}  // namespace
}  // namespace echod::test
