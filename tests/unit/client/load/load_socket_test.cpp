// When a socket may be read and written without a new event. load_connection_test.cpp and
// load_connection_local_test.cpp test the rest.
#include "client/load/load_socket.hpp"

#include <gtest/gtest.h>

#include <array>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

class NoTurns final : public Channel {
 public:
  Turn on_turn(std::uint32_t /*events*/) noexcept override { return Turn::wait; }
};

class LoadSocketTest : public LoadFixture {
 protected:
  void connect(int result = 0) {
    kernel_.expect_socket(kFd);
    kernel_.expect_connect(kFd, result);
    EXPECT_EQ(socket_.connect(), result);
    socket_.on_events(EPOLLIN);
  }

  NoTurns owner_;
  client::LoadSocket socket_{context_, owner_, 0};
  std::array<std::byte, 8> buffer_{};
};

TEST_F(LoadSocketTest, ReturnsWhatConnectReturned) {
  connect(EINPROGRESS);
  EXPECT_TRUE(socket_.is_open());
  socket_.close();
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, ECONNREFUSED);
  kernel_.expect_close(kFd);
  EXPECT_EQ(socket_.connect(), ECONNREFUSED);
  EXPECT_FALSE(socket_.is_open());
}

TEST_F(LoadSocketTest, IsReadAgainAfterAFullReadAndNotAfterAShortOne) {
  connect();
  kernel_.expect_recv(kFd, "12345678");
  (void)socket_.receive(buffer_);
  EXPECT_TRUE(socket_.is_readable());
  kernel_.expect_recv(kFd, "1234567");
  (void)socket_.receive(buffer_);
  EXPECT_FALSE(socket_.is_readable());
}

TEST_F(LoadSocketTest, IsReadUntilEagainAfterTheServersFin) {
  connect();
  socket_.on_events(EPOLLRDHUP);
  kernel_.expect_recv(kFd, "1");
  (void)socket_.receive(buffer_);
  EXPECT_TRUE(socket_.is_readable());
  kernel_.expect_recv_error(kFd, EAGAIN);
  (void)socket_.receive(buffer_);
  EXPECT_FALSE(socket_.is_readable());
}

TEST_F(LoadSocketTest, IsWritableUntilASendDoesNotFit) {
  connect();
  EXPECT_TRUE(socket_.is_writable());
  kernel_.expect_send(kFd, std::string(8, '\0'), 3);
  EXPECT_EQ(socket_.send(buffer_).count(), 3U);
  EXPECT_FALSE(socket_.is_writable());
  socket_.on_events(EPOLLOUT);
  EXPECT_TRUE(socket_.is_writable());
}

}  // namespace
}  // namespace echod::test
