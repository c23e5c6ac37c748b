// UDP sockets on a scripted kernel that refuses calls. datagram_socket_test uses the real kernel.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "scripted_syscalls.hpp"
#include "sys/datagram_socket.hpp"

namespace echod::test {
namespace {

class DatagramSocketFailureTest : public testing::Test {
 protected:
  // Expects that opening `address` throws `error` of `call`, and that no descriptor stays open.
  void expect_failure(const SocketAddress& address, const std::string& call, int error) {
    try {
      (void)sys::open_datagram_socket(address, false, sys::datagram_buffers(64, 32));
      ADD_FAILURE() << "no failure of " << call;
    } catch (const std::system_error& thrown) {
      EXPECT_EQ(thrown.code().value(), error) << call;
      EXPECT_EQ(std::string(thrown.what()).substr(0, call.size() + 1), call + ':');
    }
    EXPECT_TRUE(kernel_.was_closed(kFd)) << call;
    kernel_.verify();
  }

  ScriptedKernel kernel_;
  SocketAddress v4_ = *SocketAddress::parse("192.0.2.1", 2003);
  SocketAddress v6_ = *SocketAddress::parse("2001:db8::1", 2003);
};

TEST_F(DatagramSocketFailureTest, NamesTheCallAndClosesTheDescriptor) {
  kernel_.expect_socket_error(EMFILE);
  EXPECT_THROW((void)sys::open_datagram_socket(v4_, false, {}), std::system_error);
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRINUSE);
  expect_failure(v4_, "bind", EADDRINUSE);
}

TEST_F(DatagramSocketFailureTest, NamesTheOption) {
  const auto refuse = [&](int level, int option, int value, const std::string& name) {
    kernel_.expect_socket(kFd);
    kernel_.expect_setsockopt(kFd, level, option, value, ENOPROTOOPT);
    expect_failure(v4_, name, ENOPROTOOPT);
  };
  refuse(SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  refuse(IPPROTO_IP, IP_PKTINFO, 1, "IP_PKTINFO");
  refuse(IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, "IP_MTU_DISCOVER");
  refuse(SOL_SOCKET, SO_RCVBUF, 64 * 1024, "SO_RCVBUF");
  refuse(SOL_SOCKET, SO_SNDBUF, 32 * 1024, "SO_SNDBUF");
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_IPV6, IPV6_V6ONLY, 0, ENOPROTOOPT);
  expect_failure(v6_, "IPV6_V6ONLY", ENOPROTOOPT);
}

// The socket is set up so that others may join it only after it alone was bound.
TEST_F(DatagramSocketFailureTest, AnAddressIsBoundBeforeItMayBeShared) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd);
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_REUSEPORT, 1);
  const sys::DatagramSocket first = sys::open_datagram_socket(v4_, false, {});
  kernel_.expect_socket(kOther);
  kernel_.expect_setsockopt(kOther, SOL_SOCKET, SO_REUSEPORT, 1);
  kernel_.expect_bind(kOther);
  (void)sys::open_another_datagram_socket(first, false, {});
}

TEST_F(DatagramSocketFailureTest, WithoutUdpGroSingleDatagramsAreReceived) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_UDP, UDP_GRO, 1, ENOPROTOOPT);
  EXPECT_TRUE(sys::open_datagram_socket(v4_, false, {}).fd.is_open());
}

TEST_F(DatagramSocketFailureTest, AnyAddressFallsBackToIpv4WithoutIpv6) {
  for (const int error : {EAFNOSUPPORT, EADDRNOTAVAIL}) {
    kernel_.expect_socket_error(error);
    kernel_.expect_socket(kFd);
    const sys::DatagramSocket socket =
        sys::open_datagram_socket(SocketAddress::any_v6(7), false, {});
    EXPECT_TRUE(socket.fell_back_to_v4);
    EXPECT_EQ(socket.address, SocketAddress::any_v4(7));
    kernel_.expect_socket(kOther);
    EXPECT_TRUE(sys::open_another_datagram_socket(socket, false, {}).fell_back_to_v4);
    kernel_.verify();
  }
  kernel_.expect_socket_error(EAFNOSUPPORT);
  EXPECT_THROW((void)sys::open_datagram_socket(SocketAddress::any_v6(7), true, {}),
               std::system_error);
  kernel_.expect_socket_error(EAFNOSUPPORT);
  EXPECT_THROW((void)sys::open_datagram_socket(v6_, false, {}), std::system_error);
}

}  // namespace
}  // namespace echod::test
