#include "client/sys/datagram_socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "client/sys/arrival_clock.hpp"
#include "client/sys/client_socket.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::test {
namespace {

using sys::ClientDatagramSocket;

constexpr int kBufferBytes = 65536;

// A blocking socket on a free port of 127.0.0.1.
class Server {
 public:
  Server() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  [[nodiscard]] static SocketAddress name_of(int fd) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length), 0);
    return SocketAddress::from(storage);
  }
  [[nodiscard]] SocketAddress address() const { return name_of(fd_.get()); }
  [[nodiscard]] std::string read() const {
    std::array<char, 65536> bytes{};
    const ssize_t count = recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    return count < 0 ? "nothing" : std::string(bytes.data(), static_cast<std::size_t>(count));
  }
  void send_to(const SocketAddress& to, const std::string& bytes) const {
    sockaddr_storage storage{};
    const socklen_t length = to.to(storage);
    EXPECT_EQ(sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                     reinterpret_cast<const sockaddr*>(&storage), length),
              static_cast<ssize_t>(bytes.size()));
  }
  // Cuts what is sent from now on into datagrams of `bytes` each.
  [[nodiscard]] bool cuts(int bytes) const {
    return setsockopt(fd_.get(), IPPROTO_UDP, UDP_SEGMENT, &bytes, sizeof bytes) == 0;
  }
  void close() { fd_.reset(); }

 private:
  sys::UniqueFd fd_ = sys::UniqueFd::adopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
};

class DatagramSocketTest : public testing::Test {
 protected:
  DatagramSocketTest() {
    EXPECT_EQ(
        socket_.open(server_.address(), sys::any_local_address(server_.address()), kBufferBytes),
        0);
  }
  // The client's address, as the server sees it.
  [[nodiscard]] SocketAddress client() const { return Server::name_of(socket_.fd()); }
  [[nodiscard]] static bool is_readable(int fd) {
    return sys::wait_ready(fd, POLLIN, sys::MonotonicClock::now() + std::chrono::seconds(10)) != 0;
  }
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }

  Server server_;
  ClientDatagramSocket socket_;
  std::array<std::byte, 100> buffer_{};
};

TEST_F(DatagramSocketTest, ExchangesDatagramsWithTheServer) {
  EXPECT_EQ(sys::send(socket_.fd(), bytes("hello")).count(), 5U);
  EXPECT_EQ(server_.read(), "hello");
  server_.send_to(client(), "back");
  ASSERT_TRUE(is_readable(socket_.fd()));
  EXPECT_EQ(sys::receive(socket_.fd(), buffer_).count(), 4U);
  EXPECT_TRUE(socket_.receive_stray(buffer_).result.would_block());
}

TEST_F(DatagramSocketTest, ADatagramFromAnotherPortIsAStray) {
  const Server other;
  other.send_to(client(), "stray");
  ASSERT_TRUE(is_readable(socket_.stray_fd()));
  const sys::Stray stray = socket_.receive_stray(buffer_);
  EXPECT_EQ(stray.result.count(), 5U);
  EXPECT_EQ(stray.sender, other.address());
  EXPECT_TRUE(sys::receive(socket_.fd(), buffer_).would_block());
}

TEST_F(DatagramSocketTest, AServerThatIsGoneRefuses) {
  server_.close();
  EXPECT_TRUE(sys::send(socket_.fd(), bytes("hello")).ok());
  ASSERT_TRUE(is_readable(socket_.fd()));
  EXPECT_EQ(sys::receive(socket_.fd(), buffer_).error(), ECONNREFUSED);
}

TEST_F(DatagramSocketTest, ASendIsCutIntoSegments) {
  if (!socket_.set_segment(4)) {
    GTEST_SKIP() << "this kernel has no UDP_SEGMENT";
  }
  EXPECT_TRUE(sys::send(socket_.fd(), bytes("onceagaiNow")).ok());
  EXPECT_EQ(server_.read(), "once");
  EXPECT_EQ(server_.read(), "agai");
  EXPECT_EQ(server_.read(), "Now");
  EXPECT_TRUE(socket_.set_segment(0));
  EXPECT_TRUE(sys::send(socket_.fd(), bytes("onceagain")).ok());
  EXPECT_EQ(server_.read(), "onceagain");
}

TEST_F(DatagramSocketTest, ATrainIsReadAsAWholeIfItIsAccepted) {
  if (!server_.cuts(4)) {
    GTEST_SKIP() << "this kernel has no UDP_SEGMENT";
  }
  sys::ArrivalClock clock;
  const auto read = [&] { return sys::receive_stamped(socket_.fd(), buffer_, clock); };
  server_.send_to(client(), "onceagaiNow");
  for (const std::size_t bytes : {4U, 4U, 3U}) {
    const sys::StampedRead part = read();
    EXPECT_EQ(part.result.count(), bytes);
    EXPECT_EQ(part.segment_bytes, 0U);
  }
  socket_.accept_trains();
  server_.send_to(client(), "onceagaiNow");
  const sys::StampedRead train = read();
  EXPECT_EQ(train.result.count(), 11U);
  EXPECT_EQ(train.segment_bytes, 4U);
  EXPECT_TRUE(read().result.would_block());
}

TEST_F(DatagramSocketTest, WhatDoesNotFitIntoTheReceiveBufferIsCounted) {
  EXPECT_EQ(socket_.dropped(), 0U);
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) {
    server_.send_to(client(), "many");
  }
  EXPECT_GT(socket_.dropped(), 0U);
}

// Of so many, two would probably share a port if the kernel could choose one that is in use.
TEST_F(DatagramSocketTest, EachSocketHasItsOwnPort) {
  constexpr std::size_t kSockets = 400;
  std::vector<ClientDatagramSocket> sockets(kSockets);
  std::set<std::uint16_t> ports;
  for (ClientDatagramSocket& one : sockets) {
    ASSERT_EQ(one.open(server_.address(), sys::any_local_address(server_.address()), kBufferBytes),
              0);
    ports.insert(Server::name_of(one.fd()).port());
    EXPECT_EQ(Server::name_of(one.stray_fd()).port(), Server::name_of(one.fd()).port());
  }
  EXPECT_EQ(ports.size(), kSockets);
}

TEST_F(DatagramSocketTest, APortInUseIsAnError) {
  ClientDatagramSocket second;
  EXPECT_EQ(second.open(server_.address(), server_.address(), kBufferBytes), EADDRINUSE);
  EXPECT_FALSE(second.is_open());
}

}  // namespace
}  // namespace echod::test
