// UDP sockets on the real kernel. datagram_socket_failure_test has one that refuses calls.
#include "sys/datagram_socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "ipv6.hpp"
#include "passed_listener.hpp"
#include "socket_option.hpp"
#include "sys/kernel_setting.hpp"

namespace echod::test {
namespace {

SocketAddress udp_loopback(std::uint16_t port = 0) {
  return *SocketAddress::parse("127.0.0.1", port);
}

sys::DatagramBuffers udp_buffers(std::uint32_t receive_kib = 64) {
  return sys::datagram_buffers(receive_kib, 0);
}

sys::DatagramSocket open_udp(const SocketAddress& address = udp_loopback(), bool v6only = false) {
  return sys::open_datagram_socket(address, v6only, udp_buffers());
}

int error_of_opening_udp(const SocketAddress& address, bool v6only = false) {
  try {
    (void)open_udp(address, v6only);
    return 0;
  } catch (const std::system_error& error) {
    return error.code().value();
  }
}

TEST(DatagramSocketTest, HasTheOptionsForEchoing) {
  const sys::DatagramSocket socket = open_udp();
  const int fd = socket.fd.get();
  EXPECT_NE(socket.address.port(), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_IP, IP_PKTINFO), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
  EXPECT_EQ(option_of(fd, IPPROTO_IP, IP_RECVERR), 0);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_REUSEPORT), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_UDP, UDP_GRO), 1);
}

TEST(DatagramSocketTest, ServesBothFamiliesOnAnyAddress) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "this host has no IPv6";
  }
  const sys::DatagramSocket both = open_udp(SocketAddress::any_v6(0));
  const int fd = both.fd.get();
  EXPECT_EQ(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
  EXPECT_EQ(option_of(fd, IPPROTO_IPV6, IPV6_RECVERR), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_IP, IP_PKTINFO), 1);
  EXPECT_EQ(error_of_opening_udp(udp_loopback(both.address.port())), EADDRINUSE);
  const sys::DatagramSocket only = open_udp(SocketAddress::any_v6(0), true);
  EXPECT_EQ(option_of(only.fd.get(), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(error_of_opening_udp(SocketAddress::any_v4(only.address.port())), 0);
}

// Another echod would take a part of the flows without a word.
TEST(DatagramSocketTest, AnAddressIsOpenedOnlyOnce) {
  const sys::DatagramSocket first = open_udp();
  EXPECT_EQ(error_of_opening_udp(first.address), EADDRINUSE);
  EXPECT_THROW(sys::require_datagrams_bindable(first.address, false), std::system_error);
  EXPECT_EQ(error_of_opening_udp(*SocketAddress::parse("127.0.0.2", first.address.port())), 0);
}

TEST(DatagramSocketTest, RequireBindableLeavesNothingOpen) {
  const SocketAddress address = open_udp().address;
  sys::require_datagrams_bindable(address, false);
  sys::require_datagrams_bindable(address, false);
  EXPECT_EQ(error_of_opening_udp(address), 0);
}

TEST(DatagramSocketTest, MoreSocketsShareTheAddress) {
  const sys::DatagramSocket first = open_udp();
  const sys::DatagramSocket second = sys::open_another_datagram_socket(first, false, udp_buffers());
  const sys::DatagramSocket third = sys::open_another_datagram_socket(first, false, udp_buffers());
  EXPECT_EQ(second.address, first.address);
  EXPECT_EQ(option_of(third.fd.get(), IPPROTO_IP, IP_PKTINFO), 1);
}

TEST(DatagramSocketTest, TheGrantedBufferIsTold) {
  const sys::DatagramSocket small =
      sys::open_datagram_socket(udp_loopback(), false, udp_buffers(64));
  EXPECT_EQ(small.receive_buffer_bytes, 2U * 64 * 1024);
  const auto most = sys::kernel_setting("net/core/rmem_max", 0);
  const sys::DatagramSocket large =
      sys::open_datagram_socket(udp_loopback(), false, udp_buffers(1048576));
  EXPECT_EQ(large.receive_buffer_bytes, std::min<std::uint64_t>(2 * most, INT32_MAX));
}

TEST(DatagramSocketTest, ABufferIsAsConfiguredAndLargerThanTheKernelsDefault) {
  EXPECT_EQ(sys::datagram_buffers(0, 0).receive_bytes, 1024 * 1024);
  EXPECT_EQ(sys::datagram_buffers(7, 8).receive_bytes, 7 * 1024);
  EXPECT_EQ(sys::datagram_buffers(7, 8).send_bytes, 8 * 1024);
  const sys::DatagramSocket socket =
      sys::open_datagram_socket(udp_loopback(), false, sys::datagram_buffers(64, 32));
  EXPECT_EQ(option_of(socket.fd.get(), SOL_SOCKET, SO_SNDBUF), 2 * 32 * 1024);
}

TEST(DatagramSocketTest, ABindingIsThatOfAUdpSocketOnly) {
  const sys::DatagramSocket socket = open_udp();
  const auto binding = sys::datagram_binding_of(socket.fd.get());
  ASSERT_TRUE(binding);
  EXPECT_EQ(binding->address, socket.address);
  EXPECT_FALSE(binding->v6only);
  const PassedListener listener;
  EXPECT_FALSE(sys::datagram_binding_of(listener.fd()));
  EXPECT_FALSE(sys::datagram_binding_of(STDIN_FILENO));
  const auto unbound = sys::UniqueFd::adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(sys::datagram_binding_of(unbound.get()));
}

TEST(DatagramSocketTest, APassedSocketIsSetUpLikeAnOpenedOne) {
  const PassedListener passed(SOCK_DGRAM);
  const sys::DatagramSocket socket =
      sys::adopt_datagram_socket(sys::UniqueFd::adopt(dup(passed.fd())), udp_buffers());
  EXPECT_TRUE(socket.is_passed);
  EXPECT_EQ(socket.address.port(), passed.port());
  EXPECT_EQ(option_of(passed.fd(), IPPROTO_IP, IP_PKTINFO), 1);
  EXPECT_EQ(option_of(passed.fd(), IPPROTO_UDP, UDP_GRO), 1);
  EXPECT_EQ(recv(passed.fd(), nullptr, 0, 0), -1);  // It does not block.
  EXPECT_EQ(errno, EAGAIN);
}

TEST(DatagramSocketTest, TheQueueTellsWhatWaitsAndWhatWasDropped) {
  const sys::DatagramSocket server =
      sys::open_datagram_socket(udp_loopback(), false, udp_buffers(4));
  const auto client = sys::UniqueFd::adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(sys::datagram_queue(server.fd.get()).used_bytes, 0U);
  sockaddr_storage storage{};
  const socklen_t length = server.address.to(storage);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(
        sendto(client.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&storage), length),
        5);
  }
  const sys::DatagramQueue queue = sys::datagram_queue(server.fd.get());
  EXPECT_GT(queue.used_bytes, 0U);
  std::uint32_t received = 0;
  while (recv(server.fd.get(), nullptr, 0, MSG_TRUNC) >= 0) {
    ++received;
  }
  EXPECT_GT(queue.dropped, 0U);
  EXPECT_EQ(received + queue.dropped, 100U);
}

// A drain closes the socket while the metrics still ask for what it has dropped.
TEST(DatagramSocketTest, AWatchTellsWhatWasDroppedAlsoAfterTheSocketWasClosed) {
  auto server = std::make_shared<sys::DatagramSocket>(
      sys::open_datagram_socket(udp_loopback(), false, udp_buffers(4)));
  const sys::DatagramWatch watch(server);
  const auto client = sys::UniqueFd::adopt(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t length = server->address.to(storage);
  for (int i = 0; i < 100; ++i) {
    (void)sendto(client.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&storage), length);
  }
  const std::uint32_t dropped = sys::datagram_queue(server->fd.get()).dropped;
  ASSERT_GT(dropped, 1U);
  EXPECT_TRUE(watch.is_open());
  EXPECT_EQ(watch.queue().dropped, dropped);
  EXPECT_GT(watch.queue().used_bytes, 0U);
  server->dropped_before = 1;  // By another process, from which this one has the socket.
  EXPECT_EQ(watch.queue().dropped, dropped - 1);
  sys::note_dropped(*server);
  server.reset();
  EXPECT_FALSE(watch.is_open());
  EXPECT_EQ(watch.queue().dropped, dropped - 1);
  EXPECT_EQ(watch.queue().used_bytes, 0U);
}

}  // namespace
}  // namespace echod::test
