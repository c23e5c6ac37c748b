// Listeners on a scripted kernel that refuses calls. listen_socket_test uses the real kernel.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "scripted_syscalls.hpp"
#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

constexpr int kBacklog = 16;

const SocketOptions kAllOptions{.no_delay = true,
                                .keepalive = true,
                                .keepalive_idle = std::chrono::seconds(11),
                                .keepalive_interval = std::chrono::seconds(12),
                                .keepalive_probes = 13,
                                .user_timeout = std::chrono::milliseconds(1400),
                                .receive_buffer_kib = 15,
                                .send_buffer_kib = 16};

class ListenSocketFailureTest : public testing::Test {
 protected:
  // Expects that opening `address` throws `error` of `call`, and that no descriptor stays open.
  void expect_failure(const SocketAddress& address, const std::string& call, int error,
                      bool v6only = false) {
    try {
      (void)sys::open_listener(address, kBacklog, v6only, kAllOptions);
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

TEST_F(ListenSocketFailureTest, NamesTheSocketCall) {
  kernel_.expect_socket_error(EMFILE);
  EXPECT_THROW((void)sys::open_listener(v4_, kBacklog, false, {}), std::system_error);
}

TEST_F(ListenSocketFailureTest, NamesBindAndListenAndClosesTheDescriptor) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRINUSE);
  expect_failure(v4_, "bind", EADDRINUSE);
  kernel_.expect_socket(kFd);
  kernel_.expect_listen(kFd, kBacklog, EADDRINUSE);
  expect_failure(v4_, "listen", EADDRINUSE);
}

TEST_F(ListenSocketFailureTest, AKernelThatNotesNoTimesOfArrivalIsAccepted) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_TIMESTAMPNS, 1, ENOPROTOOPT);
  EXPECT_TRUE(sys::open_listener(v4_, kBacklog, false, {}).fd.is_open());
}

TEST_F(ListenSocketFailureTest, NamesEachOptionAndClosesTheDescriptor) {
  struct Option {
    std::string name;
    int level;
    int option;
    int value;
  };
  const std::vector<Option> options{
      {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1},
      {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1},
      {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 0},
      {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
      {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1},
      {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 11},
      {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 12},
      {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 13},
      {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 1400},
      {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 15 * 1024},
      {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 16 * 1024},
  };
  for (const Option& tested : options) {
    kernel_.expect_socket(kFd);
    kernel_.expect_setsockopt(kFd, tested.level, tested.option, tested.value, ENOPROTOOPT);
    expect_failure(v6_, tested.name, ENOPROTOOPT);
  }
}

TEST_F(ListenSocketFailureTest, ZeroLeavesTheKernelsDefaults) {
  SocketOptions options{.no_delay = false, .keepalive = false};
  options.keepalive_idle = options.keepalive_interval = std::chrono::seconds(0);
  options.keepalive_probes = 0;
  kernel_.expect_socket(kFd);
  const sys::ListenSocket listener = sys::open_listener(v4_, kBacklog, false, options);
  EXPECT_EQ(kernel_.option_set(kFd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_KEEPALIVE), 0);
  for (const int untouched : {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT}) {
    EXPECT_EQ(kernel_.option_set(kFd, IPPROTO_TCP, untouched), std::nullopt);
  }
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_RCVBUF), std::nullopt);
  EXPECT_EQ(kernel_.option_set(kFd, SOL_SOCKET, SO_SNDBUF), std::nullopt);
}

TEST_F(ListenSocketFailureTest, BufferSizesAreSetBeforeListenSoThatTheWindowFollowsThem) {
  kernel_.expect_socket(kFd);
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_RCVBUF, 15 * 1024);
  kernel_.expect_listen(kFd, kBacklog);
  const sys::ListenSocket listener = sys::open_listener(v4_, kBacklog, false, kAllOptions);
  EXPECT_EQ(listener.address, v4_);
}

// A host without IPv6.

TEST_F(ListenSocketFailureTest, AllAddressesFallBackToIpv4WhenThereIsNoIpv6) {
  kernel_.expect_socket_error(EAFNOSUPPORT);
  kernel_.expect_socket(kFd);
  const sys::ListenSocket listener =
      sys::open_listener(SocketAddress::any_v6(2003), kBacklog, false, {});
  EXPECT_TRUE(listener.fell_back_to_v4);
  EXPECT_EQ(listener.address, SocketAddress::any_v4(2003));
  EXPECT_EQ(kernel_.option_set(kFd, IPPROTO_IPV6, IPV6_V6ONLY), std::nullopt);
}

TEST_F(ListenSocketFailureTest, AllAddressesFallBackToIpv4WhenIpv6IsSwitchedOff) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRNOTAVAIL);
  kernel_.expect_close(kFd);
  kernel_.expect_socket(kOther);
  kernel_.expect_bind(kOther);
  const sys::ListenSocket listener =
      sys::open_listener(SocketAddress::any_v6(2003), kBacklog, false, {});
  EXPECT_TRUE(listener.fell_back_to_v4);
  EXPECT_EQ(listener.fd.get(), kOther);
  EXPECT_EQ(listener.backlog, kBacklog);
}

TEST_F(ListenSocketFailureTest, ReportsTheErrorOfTheFallBack) {
  kernel_.expect_socket_error(EAFNOSUPPORT);
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRINUSE);
  expect_failure(SocketAddress::any_v6(2003), "bind", EADDRINUSE);
}

TEST_F(ListenSocketFailureTest, OtherAddressesDoNotFallBack) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRNOTAVAIL);
  expect_failure(SocketAddress::any_v6(2003), "bind", EADDRNOTAVAIL, true);
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRNOTAVAIL);
  expect_failure(v6_, "bind", EADDRNOTAVAIL);
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRNOTAVAIL);
  expect_failure(v4_, "bind", EADDRNOTAVAIL);
}

TEST_F(ListenSocketFailureTest, AllAddressesDoNotFallBackForAnotherReason) {
  kernel_.expect_socket(kFd);
  kernel_.expect_bind(kFd, EADDRINUSE);
  expect_failure(SocketAddress::any_v6(2003), "bind", EADDRINUSE);
}

// Accepting.

TEST_F(ListenSocketFailureTest, RetriesAnInterruptedAccept) {
  kernel_.expect_accept_error(kFd, EINTR);
  kernel_.expect_accept_error(kFd, EINTR);
  kernel_.expect_accept(kFd, kOther, "2001:db8::2", 4711);
  const sys::Accepted accepted = sys::accept(kFd);
  EXPECT_EQ(accepted.error, 0);
  EXPECT_EQ(accepted.fd.get(), kOther);
  EXPECT_EQ(accepted.peer.text(), "[2001:db8::2]:4711");
  kernel_.expect_accept_error(kFd, EINTR);
  kernel_.expect_accept_error(kFd, EMFILE);
  EXPECT_EQ(sys::accept(kFd).error, EMFILE);
  kernel_.verify();
}

}  // namespace
}  // namespace echod::test
