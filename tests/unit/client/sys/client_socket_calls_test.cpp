#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <array>
#include <cerrno>

#include "client/sys/arrival_clock.hpp"
#include "client/sys/client_socket.hpp"
#include "scripted_syscalls.hpp"
#include "sys/stream_socket.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;

class ClientSocketCallsTest : public testing::Test {
 protected:
  static SocketAddress address(const char* host, std::uint16_t port) {
    return *SocketAddress::parse(host, port);
  }
  [[nodiscard]] sys::ConnectResult open() const {
    return sys::open_connection(server_, std::nullopt);
  }
  [[nodiscard]] sys::ConnectResult open_from(const SocketAddress& source) const {
    return sys::open_connection(server_, source);
  }
  // Expects that connecting failed with `error` and closed the descriptor.
  void expect_failed(const sys::ConnectResult& opened, int error) const {
    EXPECT_EQ(opened.error, error);
    EXPECT_FALSE(opened.fd.is_open());
    EXPECT_TRUE(kernel_.was_closed(kFd));
  }

  ScriptedKernel kernel_;
  SocketAddress server_ = address("192.0.2.9", 2003);
};

TEST_F(ClientSocketCallsTest, AConnectionSetsTcpNodelay) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_TCP, TCP_NODELAY, 1);
  kernel_.expect_connect(kFd, EINPROGRESS);
  const sys::ConnectResult opened = open();
  EXPECT_EQ(opened.error, EINPROGRESS);
  EXPECT_EQ(opened.fd.get(), kFd);
  EXPECT_EQ(SocketAddress::from(kernel_.connected_to(kFd)), server_);
  EXPECT_EQ(kernel_.count(Call::bind), 0U);
}

TEST_F(ClientSocketCallsTest, AConnectMaySucceedAtOnce) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd);
  const sys::ConnectResult opened = open();
  EXPECT_EQ(opened.error, 0);
  EXPECT_TRUE(opened.fd.is_open());
}

TEST_F(ClientSocketCallsTest, AnInterruptedConnectContinues) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EINTR);
  const sys::ConnectResult opened = open();
  EXPECT_EQ(opened.error, EINPROGRESS);
  EXPECT_TRUE(opened.fd.is_open());
  EXPECT_EQ(kernel_.count(Call::connect), 1U);
}

TEST_F(ClientSocketCallsTest, ASourceIsBoundWithItsPortLeftToConnect) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  kernel_.expect_bind(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  const sys::ConnectResult opened = open_from(address("127.0.0.2", 0));
  EXPECT_EQ(opened.error, EINPROGRESS);
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kFd)).host(), "127.0.0.2");
}

TEST_F(ClientSocketCallsTest, ASourceWithAPortIsBoundToThatPort) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd);
  const sys::ConnectResult opened = open_from(address("127.0.0.2", 4711));
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kFd)).port(), 4711);
  EXPECT_EQ(kernel_.option_set(kFd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), std::nullopt);
}

TEST_F(ClientSocketCallsTest, ASourceIsBoundEvenIfNoPortOptionIsRefused) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, ENOPROTOOPT);
  kernel_.expect_bind(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  EXPECT_EQ(open_from(address("127.0.0.2", 0)).error, EINPROGRESS);
}

TEST_F(ClientSocketCallsTest, IPv6IsConnectedToOverASocketOfItsFamily) {
  server_ = address("2001:db8::9", 7);
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  const sys::ConnectResult opened = open_from(address("2001:db8::1", 0));
  EXPECT_EQ(SocketAddress::from(kernel_.connected_to(kFd)).text(), "[2001:db8::9]:7");
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kFd)).host(), "2001:db8::1");
}

// Failures.

TEST_F(ClientSocketCallsTest, WithoutADescriptorThereIsNoConnection) {
  kernel_.expect_socket_error(EMFILE);
  const sys::ConnectResult opened = open();
  EXPECT_EQ(opened.error, EMFILE);
  EXPECT_FALSE(opened.fd.is_open());
  EXPECT_EQ(kernel_.count(Call::close), 0U);
}

TEST_F(ClientSocketCallsTest, AnOptionThatIsRefusedClosesTheDescriptor) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, IPPROTO_TCP, TCP_NODELAY, 1, ENOMEM);
  expect_failed(open(), ENOMEM);
  EXPECT_EQ(kernel_.count(Call::connect), 0U);
}

TEST_F(ClientSocketCallsTest, AForeignSourceAddressClosesTheDescriptor) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRNOTAVAIL);
  expect_failed(open_from(address("198.51.100.1", 0)), EADDRNOTAVAIL);
  EXPECT_EQ(kernel_.count(Call::connect), 0U);
}

TEST_F(ClientSocketCallsTest, AConnectThatFailsClosesTheDescriptor) {
  for (const int error : {ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE, EACCES}) {
    kernel_.expect_socket(kFd);
    kernel_.expect_connect(kFd, error);
    expect_failed(open(), error);
  }
}

// Waiting.

TEST_F(ClientSocketCallsTest, WaitingEndsWhenConnected) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  const sys::ConnectResult opened = sys::connect_within(server_, std::nullopt, milliseconds(100));
  EXPECT_EQ(opened.error, 0);
  EXPECT_EQ(opened.fd.get(), kFd);
}

TEST_F(ClientSocketCallsTest, WaitingEndsWithTheErrorOfTheConnection) {
  kernel_.set_socket_error(kFd, ECONNREFUSED);
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, EINPROGRESS);
  expect_failed(sys::connect_within(server_, std::nullopt, milliseconds(100)), ECONNREFUSED);
}

TEST_F(ClientSocketCallsTest, AnImmediateFailureIsNotWaitedFor) {
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, ENETUNREACH);
  expect_failed(sys::connect_within(server_, std::nullopt, milliseconds(100)), ENETUNREACH);
}

TEST_F(ClientSocketCallsTest, ResetOnCloseSetsLinger) {
  sys::reset_on_close(kFd);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_LINGER), 1);
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_LINGER, 1, EINVAL);
  sys::reset_on_close(kFd);
}

TEST_F(ClientSocketCallsTest, WithoutADescriptorASourceCannotBeTried) {
  kernel_.expect_socket_error(EMFILE);
  EXPECT_EQ(sys::bind_error(address("127.0.0.2", 0)), EMFILE);
}

TEST_F(ClientSocketCallsTest, TheTimeStampTellsTheArrival) {
  std::array<std::byte, 8> bytes{};
  sys::ArrivalClock clock;
  kernel_.set_wall_clock_ahead(std::chrono::seconds(1'700'000'000));
  kernel_.expect_recv(kFd, "Hello").arrived_before(milliseconds(3));
  const sys::StampedRead read = sys::receive_stamped(kFd, bytes, clock);
  EXPECT_EQ(read.result.count(), 5U);
  EXPECT_EQ(read.read - read.arrived, milliseconds(3));
}

TEST_F(ClientSocketCallsTest, WithoutATimeStampTheArrivalIsNow) {
  std::array<std::byte, 8> bytes{};
  sys::ArrivalClock clock;
  kernel_.expect_recv(kFd, "Hello");
  const sys::StampedRead read = sys::receive_stamped(kFd, bytes, clock);
  EXPECT_EQ(read.arrived, read.read);
}

}  // namespace
}  // namespace echod::test
