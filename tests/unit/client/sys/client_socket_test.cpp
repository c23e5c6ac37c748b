// Connections over loopback, with the real kernel.
#include "client/sys/client_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>

#include "deadline.hpp"
#include "socket_option.hpp"
#include "sys/listen_socket.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::test {
namespace {

constexpr std::string_view kHello = "hello";

class ClientSocketTest : public testing::Test {
 protected:
  [[nodiscard]] sys::ConnectResult open(const sys::ReceiveBuffering& buffering = {}) const {
    return sys::open_connection(listener_.address, std::nullopt, buffering);
  }
  // Accepts the oldest waiting connection.
  [[nodiscard]] sys::UniqueFd accept() const {
    wait_for(listener_.fd.get(), POLLIN);
    return sys::accept(listener_.fd.get()).fd;
  }
  static void wait_for(int fd, short events) {
    const sys::TimePoint deadline = sys::MonotonicClock::now() + kPatience;
    EXPECT_NE(sys::wait_ready(fd, events, deadline), 0);
  }
  // How many bytes can be sent on `fd` while the peer does not read.
  static std::size_t taken_unread(int fd) {
    constexpr std::chrono::milliseconds kQuiet{100};
    const std::array<std::byte, 65536> bytes{};
    std::size_t sum = 0;
    do {
      sum += sys::send(fd, bytes).count();
    } while (sum < 16 * bytes.size() &&
             sys::wait_ready(fd, POLLOUT, sys::MonotonicClock::now() + kQuiet) != 0);
    return sum;
  }

  sys::ListenSocket listener_ =
      sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 16, false, {});
};

TEST_F(ClientSocketTest, ConnectsWithoutWaiting) {
  const sys::ConnectResult opened = open();
  ASSERT_TRUE(opened.fd.is_open());
  EXPECT_TRUE(opened.error == 0 || opened.error == EINPROGRESS) << opened.error;
  wait_for(opened.fd.get(), POLLOUT);
  EXPECT_EQ(sys::take_error(opened.fd.get()), 0);
  EXPECT_EQ(option_of(opened.fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST_F(ClientSocketTest, SmallBuffersLimitWhatTheKernelsHold) {
  const sys::ConnectResult opened = open({.buffer_bytes = 4096, .segment_bytes = 1448});
  ASSERT_TRUE(opened.fd.is_open());
  const sys::UniqueFd server = accept();
  EXPECT_EQ(option_of(opened.fd.get(), SOL_SOCKET, SO_RCVBUF), 2 * 4096);
  constexpr std::size_t kLittle = 262144;  // Measured: about 70 KiB.
  EXPECT_LT(taken_unread(server.get()), kLittle);
}

TEST_F(ClientSocketTest, SendMoreWaitsForTheFin) {
  const sys::ConnectResult opened = open();
  ASSERT_TRUE(opened.fd.is_open());
  const sys::UniqueFd server = accept();
  constexpr std::chrono::milliseconds kHeld{200};  // The kernel's limit (tcp(7), TCP_CORK).
  const sys::TimePoint begin = sys::MonotonicClock::now();
  ASSERT_EQ(sys::send_more(opened.fd.get(), std::as_bytes(std::span(kHello))).count(), 5U);
  // Loopback delivers at once.
  const std::size_t arrived = sys::unread_bytes(server.get()).count();
  EXPECT_TRUE(arrived == 0 || sys::MonotonicClock::now() - begin >= kHeld) << arrived;
  ASSERT_TRUE(sys::shut_write(opened.fd.get()).ok());
  wait_for(server.get(), POLLIN);
  std::array<std::byte, 16> room{};
  EXPECT_EQ(sys::receive(server.get(), room).count(), 5U);
  const sys::IoResult end = sys::receive(server.get(), room);
  EXPECT_TRUE(end.ok());
  EXPECT_EQ(end.count(), 0U);
}

TEST_F(ClientSocketTest, ResetOnCloseSendsAReset) {
  sys::ConnectResult opened = open();
  ASSERT_TRUE(opened.fd.is_open());
  const sys::UniqueFd server = accept();
  sys::reset_on_close(opened.fd.get());
  opened.fd.reset();
  wait_for(server.get(), POLLIN);
  std::array<std::byte, 16> room{};
  EXPECT_EQ(sys::receive(server.get(), room).error(), ECONNRESET);
}

TEST_F(ClientSocketTest, AConnectionToAServerIsNotToItself) {
  const sys::ConnectResult opened = sys::connect_within(listener_.address, std::nullopt, kPatience);
  EXPECT_EQ(opened.error, 0);
  EXPECT_FALSE(sys::is_self_connected(opened.fd.get()));
  EXPECT_FALSE(sys::is_self_connected(-1));
}

TEST_F(ClientSocketTest, AConnectionToItselfIsAFailureAndItsPortIsFreeAtOnce) {
  const SocketAddress own =
      sys::open_listener(*SocketAddress::parse("127.0.0.75", 0), 1, false, {}).address;
  {
    const sys::ConnectResult opened = sys::open_connection(own, own);
    ASSERT_TRUE(opened.fd.is_open());
    wait_for(opened.fd.get(), POLLOUT);
    EXPECT_TRUE(sys::is_self_connected(opened.fd.get()));
    EXPECT_EQ(sys::connect_error(opened.fd.get()), sys::kConnectedToItself);
  }
  EXPECT_EQ(sys::bind_error(own), 0);
  const sys::ConnectResult opened = sys::connect_within(own, own, kPatience);
  EXPECT_EQ(opened.error, sys::kConnectedToItself);
  EXPECT_FALSE(opened.fd.is_open());
  EXPECT_EQ(sys::connect_error_text(opened.error),
            "connected to itself, because no server listens there");
  EXPECT_EQ(sys::bind_error(own), 0);
}

TEST_F(ClientSocketTest, WhatIsNoTcpSocketHasNoFigures) {
  const auto no_socket = sys::UniqueFd::adopt(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(sys::tcp_figures(no_socket.get()));
}

}  // namespace
}  // namespace echod::test
