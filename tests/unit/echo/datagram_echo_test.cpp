// The turns of a UDP socket, on a scripted kernel.
#include "echo/datagram_echo.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "echo_fixture.hpp"
#include "sys/syscalls.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

class DatagramEchoTest : public EchoFixture {
 protected:
  static constexpr std::size_t kBatch = sys::DatagramBatch::kMost;

  void SetUp() override {
    set_turn(kBatch, 65536);
    open();
  }
  void set_turn(std::uint32_t reads, std::size_t bytes) {
    context_.settings.turn_reads = reads;
    context_.settings.turn_bytes = bytes;
  }
  void open(bool is_passed = false, std::uint32_t receive_buffer_bytes = 65536) {
    if (echo_) {
      kernel_.expect_close(kFd);
      echo_.reset();
      kernel_.expect_socket(kFd);  // The number is used again.
      (void)sys::calls::socket(0, 0, 0);
    }
    auto socket = std::make_shared<sys::DatagramSocket>();
    socket->fd = sys::UniqueFd::adopt(kFd);
    socket->address = *SocketAddress::parse("192.0.2.9", 2003);
    socket->is_passed = is_passed;
    socket->receive_buffer_bytes = receive_buffer_bytes;
    kernel_.expect_add(kFd, EPOLLIN | EPOLLET);
    echo_.emplace(DatagramEcho::Context{.loop = loop_,
                                        .settings = context_.settings,
                                        .counters = context_.counters,
                                        .log = context_.log,
                                        .relay = relay_},
                  std::move(socket));
    kernel_.verify();
  }
  static std::vector<Datagram> some(std::size_t count, const std::string& bytes = "hello") {
    return std::vector<Datagram>(count, Datagram{.bytes = bytes});
  }
  // The socket gives `count` datagrams, when it is asked for at most `most`.
  void expect_echo(std::size_t count, std::size_t most) {
    kernel_.expect_recvmmsg(kFd, some(count), static_cast<std::int64_t>(most));
    kernel_.expect_sendmmsg(kFd, some(count));
  }

  // After the last batch it receives once more, finds the queue empty, and sleeps.
  void expect_last_poll() {
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    kernel_.expect_recvmmsg_error(kFd, EAGAIN);
    iterate();
    expect_rest();
  }

  std::vector<std::uint16_t> own_ports_{2003};
  DatagramRelay relay_{context_.counters, own_ports_};
  std::optional<DatagramEcho> echo_;
};

TEST_F(DatagramEchoTest, EchoesWhatCameAndSleeps) {
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(2, kBatch);
  iterate();
  expect_last_poll();
  EXPECT_EQ(count(Counter::datagrams_echoed), 2U);
}

// recvmmsg(2) stops before the error and reports it in the next call; there is no edge for it.
TEST_F(DatagramEchoTest, AnErrorInTheMiddleOfABatchIsNotTakenForAnEmptyQueue) {
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(2, kBatch);
  iterate();
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recvmmsg_error(kFd, EPERM);
  iterate();
  EXPECT_EQ(count(Counter::datagram_receive_errors), 1U);
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(3, kBatch);  // They were behind the error.
  iterate();
  expect_last_poll();
}

// A batch that is full may have left some, for which there is no edge.
TEST_F(DatagramEchoTest, GoesOnInTheNextPassAfterAFullBatch) {
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(kBatch, kBatch);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  iterate();
  expect_rest();
}

TEST_F(DatagramEchoTest, ATurnReceivesAtMostTheReadsOfATurn) {
  set_turn(kBatch + 3, 65536);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(kBatch, kBatch);
  expect_echo(3, 3);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(1, kBatch);
  iterate();
  expect_last_poll();
}

TEST_F(DatagramEchoTest, ABudgetOfOneServesAllOfABurst) {
  set_turn(1, 65536);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  for (int i = 0; i < 5; ++i) {
    expect_echo(1, 1);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
  }
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  iterate();
  expect_rest();
  EXPECT_EQ(count(Counter::datagrams_echoed), 5U);
  EXPECT_EQ(count(Counter::turns_over_budget), 5U);
}

TEST_F(DatagramEchoTest, ATurnEndsAfterTheBatchThatReachesItsBytes) {
  set_turn(4 * kBatch, kBatch * 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  expect_echo(kBatch, kBatch);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(1, kBatch);
  iterate();
}

TEST_F(DatagramEchoTest, TriesAgainAfterAnErrorBecauseNoEdgeMayCome) {
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recvmmsg_error(kFd, ENOMEM);
  iterate();
  EXPECT_EQ(count(Counter::datagram_receive_errors), 1U);
  EXPECT_TRUE(has_logged("cannot receive on udp 192.0.2.9:2003: Cannot allocate memory"));
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(1, kBatch);
  iterate();
  expect_last_poll();
}

TEST_F(DatagramEchoTest, LogsRepeatedErrorsOnce) {
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  for (int i = 0; i < 3; ++i) {
    kernel_.expect_recvmmsg_error(kFd, EIO);
    iterate();
    kernel_.expect_epoll_wait_timeout(250);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
  }
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(count(Counter::datagram_receive_errors), 3U);
  const std::string lines = log();
  EXPECT_EQ(lines.find("cannot receive"), lines.rfind("cannot receive"));
}

TEST_F(DatagramEchoTest, ADrainEchoesTheQueueAndReleasesTheSocket) {
  echo_->drain();
  EXPECT_FALSE(echo_->is_closed());
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(kBatch, kBatch);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(1, kBatch);
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  iterate();
  EXPECT_TRUE(echo_->is_closed());
  EXPECT_TRUE(kernel_.was_closed(kFd));
  expect_rest();
}

// 1024 bytes of receive buffer cannot hold more than three.
TEST_F(DatagramEchoTest, ADrainDoesNotWaitForNewcomersToEnd) {
  open(false, 1024);
  set_turn(1, 65536);
  echo_->drain();
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(echo_->is_closed());
    kernel_.expect_epoll_wait({}, 0);
    expect_echo(1, 1);
    iterate();
  }
  EXPECT_TRUE(echo_->is_closed());
}

TEST_F(DatagramEchoTest, ADrainTriesAgainAfterAnError) {
  echo_->drain();
  kernel_.expect_epoll_wait({}, 0);
  kernel_.expect_recvmmsg_error(kFd, ENOMEM);
  iterate();
  EXPECT_FALSE(echo_->is_closed());
  kernel_.expect_epoll_wait_timeout(250);
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_echo(1, kBatch);
  kernel_.expect_recvmmsg_error(kFd, EAGAIN);
  iterate();
  EXPECT_TRUE(echo_->is_closed());
  expect_rest();
}

TEST_F(DatagramEchoTest, ADrainLeavesTheQueueOfAPassedSocketToTheNextProcess) {
  open(true);
  kernel_.expect_remove(kFd);
  echo_->drain();
  EXPECT_TRUE(echo_->is_closed());
  echo_->drain();  // No-op.
}

TEST_F(DatagramEchoTest, CloseIsAtOnceAndTwiceIsOnce) {
  kernel_.expect_remove(kFd);
  kernel_.expect_close(kFd);
  echo_->close();
  echo_->close();
  EXPECT_TRUE(echo_->is_closed());
  expect_rest();
}

TEST_F(DatagramEchoTest, ThrowsIfTheSocketCannotBeRegistered) {
  kernel_.expect_add(kOther, EPOLLIN | EPOLLET, ENOSPC);
  auto socket = std::make_shared<sys::DatagramSocket>();
  socket->fd = sys::UniqueFd::adopt(kOther);
  EXPECT_THROW(DatagramEcho({.loop = loop_,
                             .settings = context_.settings,
                             .counters = context_.counters,
                             .log = context_.log,
                             .relay = relay_},
                            socket),
               std::system_error);
}

}  // namespace
}  // namespace echod::test
