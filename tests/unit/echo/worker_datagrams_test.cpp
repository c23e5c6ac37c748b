// The UDP sockets of a worker, on a scripted kernel.
#include "echo/worker_datagrams.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <vector>

#include "echo_fixture.hpp"

namespace echod::test {
namespace {

class WorkerDatagramsTest : public EchoFixture {
 protected:
  static constexpr std::size_t kBatch = sys::DatagramBatch::kMost;

  static std::shared_ptr<sys::DatagramSocket> socket_of(int fd) {
    auto socket = std::make_shared<sys::DatagramSocket>();
    socket->fd = sys::UniqueFd::adopt(fd);
    socket->receive_buffer_bytes = 16384;
    return socket;
  }
  static std::vector<Datagram> some(std::size_t count) {
    return std::vector<Datagram>(count, Datagram{.bytes = "hello"});
  }
  static sys::TimePoint in_a_second() {
    return sys::MonotonicClock::now() + std::chrono::seconds(1);
  }
  void expect_echo(int fd, std::size_t count) {
    kernel_.expect_recvmmsg(fd, some(count));
    kernel_.expect_sendmmsg(fd, some(count));
  }

  std::vector<std::uint16_t> own_ports_{2003};
  WorkerDatagrams datagrams_{context_, own_ports_};
};

TEST_F(WorkerDatagramsTest, WithoutASocketAllAreClosed) {
  EXPECT_TRUE(datagrams_.are_closed());
  datagrams_.apply();
  datagrams_.drain();
  datagrams_.close();
  EXPECT_TRUE(datagrams_.are_closed());
}

TEST_F(WorkerDatagramsTest, EachSocketIsServed) {
  datagrams_.add(socket_of(kFd));
  datagrams_.add(socket_of(kOther));
  EXPECT_FALSE(datagrams_.are_closed());
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}});
  expect_echo(kFd, 1);
  expect_echo(kOther, 2);
  iterate();
  EXPECT_EQ(count(Counter::datagrams_echoed), 3U);
}

TEST_F(WorkerDatagramsTest, SocketsShareTheRateOfASource) {
  context_.settings.datagrams_per_source = 3;
  datagrams_.add(socket_of(kFd));
  datagrams_.add(socket_of(kOther));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}});
  expect_echo(kFd, 2);
  kernel_.expect_recvmmsg(kOther, some(2));
  kernel_.expect_sendmmsg(kOther, some(1));
  iterate();
  EXPECT_EQ(count(Counter::datagrams_dropped_source_rate), 1U);
  context_.settings.datagrams_per_source = 0;
  datagrams_.apply();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(kFd, 5);
  iterate();
}

TEST_F(WorkerDatagramsTest, ADrainEndsWhenAllQueuesAreEmpty) {
  datagrams_.add(socket_of(kFd));
  datagrams_.add(socket_of(kOther));
  datagrams_.drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  expect_echo(kOther, 8);  // As many as a turn of the fixture reads.
  iterate();
  EXPECT_FALSE(datagrams_.are_closed());
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recvmmsg_error(kOther, EAGAIN);
  iterate();
  EXPECT_TRUE(datagrams_.are_closed());
}

TEST_F(WorkerDatagramsTest, CloseReleasesAll) {
  datagrams_.add(socket_of(kFd));
  datagrams_.add(socket_of(kOther));
  datagrams_.close();
  EXPECT_TRUE(datagrams_.are_closed());
  EXPECT_TRUE(kernel_.was_closed(kFd));
  EXPECT_TRUE(kernel_.was_closed(kOther));
}

TEST_F(WorkerDatagramsTest, TheQueueOfASocketThatIsNotServedIsEchoed) {
  const auto socket = socket_of(kFd);
  expect_echo(kFd, kBatch);
  expect_echo(kFd, 3);
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  EXPECT_TRUE(datagrams_.echo_queued(*socket, in_a_second()));
  EXPECT_EQ(count(Counter::datagrams_echoed), kBatch + 3);
  kernel_.expect_recvmmsg_error(kFd, EIO);
  EXPECT_TRUE(datagrams_.echo_queued(*socket, in_a_second()));
}

// 16384 bytes hold less than 33 datagrams.
TEST_F(WorkerDatagramsTest, NewcomersDoNotKeepItFromEnding) {
  const auto socket = socket_of(kFd);
  expect_echo(kFd, kBatch);
  expect_echo(kFd, kBatch);
  expect_echo(kFd, 1);
  EXPECT_TRUE(datagrams_.echo_queued(*socket, in_a_second()));
}

// An upgrade in place waits for it.
TEST_F(WorkerDatagramsTest, ALongQueueIsEchoedUntilTheDeadline) {
  const auto socket = socket_of(kFd);
  expect_echo(kFd, kBatch);
  kernel_.expect_recvmmsg(kFd, some(kBatch)).then([this] {
    kernel_.advance(std::chrono::seconds(1));
  });
  kernel_.expect_sendmmsg(kFd, some(kBatch));
  EXPECT_FALSE(datagrams_.echo_queued(*socket, in_a_second()));
  EXPECT_EQ(count(Counter::datagrams_echoed), 2 * kBatch);
}

}  // namespace
}  // namespace echod::test
