// Listeners on the real kernel, on loopback. listen_socket_failure_test has rare errors.
#include "sys/listen_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "deadline.hpp"
#include "files.hpp"
#include "ipv6.hpp"
#include "local_socket.hpp"
#include "passed_listener.hpp"
#include "reserved_port.hpp"
#include "socket_option.hpp"
#include "sys/local_listener.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

constexpr int kBacklog = 16;
const SocketAddress kLoopback = *SocketAddress::parse("127.0.0.1", 0);

sys::ListenSocket listening_on(const SocketAddress& address, bool v6only = false) {
  return sys::open_listener(address, kBacklog, v6only, {});
}

// Waits until there is a connection to accept.
sys::Accepted accept_from(const sys::ListenSocket& listener) {
  pollfd waiting{.fd = listener.fd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waiting, 1, Deadline().left_ms()), 1);
  return sys::accept(listener.fd.get());
}

TEST(ListenSocketTest, KnowsItsRealPort) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  EXPECT_NE(listener.address.port(), 0);
  EXPECT_EQ(listener.address.host(), "127.0.0.1");
  EXPECT_FALSE(listener.fell_back_to_v4);
  EXPECT_EQ(option_of(listener.fd.get(), SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST(ListenSocketTest, AcceptFailsWithEagainIfTheQueueIsEmpty) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  const sys::Accepted nobody = sys::accept(listener.fd.get());
  EXPECT_EQ(nobody.error, EAGAIN);
  EXPECT_FALSE(nobody.fd.is_open());
}

TEST(ListenSocketTest, AcceptsAPeerWithItsAddressNonBlockingAndCloseOnExec) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  const TcpPeer peer("127.0.0.1", listener.address.port());
  const sys::Accepted accepted = accept_from(listener);
  ASSERT_EQ(accepted.error, 0);
  EXPECT_EQ(accepted.peer.text(), peer.name());
  EXPECT_NE(fcntl(accepted.fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(accepted.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(listener.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(ListenSocketTest, AcceptedConnectionsInheritItsOptions) {
  SocketOptions options;
  options.keepalive_idle = std::chrono::seconds(11);
  options.keepalive_interval = std::chrono::seconds(12);
  options.keepalive_probes = 13;
  options.user_timeout = std::chrono::milliseconds(1400);
  options.send_buffer_kib = 100;
  const sys::ListenSocket listener = sys::open_listener(kLoopback, kBacklog, false, options);
  const TcpPeer peer("127.0.0.1", listener.address.port());
  const sys::Accepted accepted = accept_from(listener);
  const int fd = accepted.fd.get();
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_OOBINLINE), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_TIMESTAMPNS), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 11);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 12);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 13);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1400);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_SNDBUF), 200 * 1024);  // The kernel doubles it.
}

TEST(ListenSocketTest, ReplacedOptionsThatAreNotSetAreTheKernelsDefaults) {
  using std::chrono::seconds;
  const SocketOptions defaults{
      .keepalive_idle = seconds(0), .keepalive_interval = seconds(0), .keepalive_probes = 0};
  const sys::ListenSocket fresh = sys::open_listener(kLoopback, kBacklog, false, defaults);
  const sys::ListenSocket changed = sys::open_listener(kLoopback, kBacklog, false,
                                                       {.keepalive_idle = seconds(77),
                                                        .keepalive_interval = seconds(7),
                                                        .keepalive_probes = 3,
                                                        .user_timeout = seconds(5),
                                                        .receive_buffer_kib = 64,
                                                        .send_buffer_kib = 64});
  constexpr int kBufLock = SO_BUF_LOCK;
  ASSERT_NE(option_of(changed.fd.get(), SOL_SOCKET, kBufLock), 0);
  sys::replace_tcp_options(changed.fd.get(), defaults);
  for (const int option : {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT}) {
    EXPECT_EQ(option_of(changed.fd.get(), IPPROTO_TCP, option),
              option_of(fresh.fd.get(), IPPROTO_TCP, option));
  }
  for (const int option : {SO_RCVBUF, SO_SNDBUF, kBufLock}) {
    EXPECT_EQ(option_of(changed.fd.get(), SOL_SOCKET, option),
              option_of(fresh.fd.get(), SOL_SOCKET, option));
  }
}

TEST(ListenSocketTest, BindableAddressesAreThoseThatCanBeOpened) {
  sys::require_bindable(kLoopback, false);
  const sys::ListenSocket listener = listening_on(kLoopback);
  EXPECT_THROW(sys::require_bindable(listener.address, false), std::system_error);
}

TEST(ListenSocketTest, LaterConnectionsInheritChangedOptions) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  sys::set_tcp_options(listener.fd.get(), {.no_delay = false, .keepalive = false});
  const TcpPeer peer("127.0.0.1", listener.address.port());
  const sys::Accepted accepted = accept_from(listener);
  EXPECT_EQ(option_of(accepted.fd.get(), IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option_of(accepted.fd.get(), SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST(ListenSocketTest, TheBacklogCanBeChangedWhileAConnectionWaits) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  const TcpPeer peer("127.0.0.1", listener.address.port());
  sys::set_backlog(listener.fd.get(), 1);
  EXPECT_EQ(accept_from(listener).error, 0);
}

TEST(ListenSocketTest, APortCanBeReusedAtOnceAfterItsListenerIsClosed) {
  const ReservedPort reserved;
  const SocketAddress address = *SocketAddress::parse("127.0.0.1", reserved.port());
  {
    const sys::ListenSocket listener = listening_on(address);
    try {
      (void)listening_on(address);
      FAIL() << "two listeners on " << address.text();
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code().value(), EADDRINUSE);
    }
    // The side that closes first keeps the connection in TIME_WAIT.
    TcpPeer peer("127.0.0.1", address.port());
    (void)accept_from(listener);
    (void)peer.receive_to_end();
  }
  EXPECT_EQ(listening_on(address).address, address);
}

TEST(ListenSocketTest, AnAddressOfAnotherHostIsRefused) {
  try {
    (void)listening_on(*SocketAddress::parse("192.0.2.1", 0));
    FAIL() << "192.0.2.1 is here";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EADDRNOTAVAIL);
    EXPECT_EQ(std::string(error.what()).substr(0, 5), "bind:");
  }
}

TEST(ListenSocketTest, AnIpv6ListenerSeesIpv4PeersWithTheirIpv4Address) {
  const sys::ListenSocket listener = listening_on(SocketAddress::any_v6(0));
  const TcpPeer peer("127.0.0.1", listener.address.port());
  EXPECT_EQ(accept_from(listener).peer.text(), peer.name());
}

TEST(ListenSocketTest, AV6OnlyListenerLeavesThePortFreeForIpv4) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "this host has no IPv6";
  }
  const ReservedPort reserved;
  const sys::ListenSocket v6 = listening_on(SocketAddress::any_v6(reserved.port()), true);
  const sys::ListenSocket v4 = listening_on(SocketAddress::any_v4(reserved.port()));
  const TcpPeer peer("::1", reserved.port());
  EXPECT_EQ(accept_from(v6).peer.host(), "::1");
  EXPECT_EQ(sys::accept(v4.fd.get()).error, EAGAIN);
}

TEST(ListenSocketTest, EachCallFailsForABadDescriptor) {
  EXPECT_EQ(sys::accept(-1).error, EBADF);
  EXPECT_THROW(sys::set_backlog(-1, 1), std::system_error);
  EXPECT_THROW(sys::set_tcp_options(-1, {}), std::system_error);
}

TEST(ListenSocketTest, GrantedBacklogIsThatOfTheKernel) {
  const sys::ListenSocket listener = listening_on(kLoopback);
  sys::set_backlog(listener.fd.get(), 5);
  EXPECT_EQ(sys::accept_queue(listener.fd.get()).limit, 5U);
  EXPECT_EQ(sys::accept_queue(-1).limit, 0U);
}

TEST(ListenSocketTest, AdoptsASocketOfAnotherProcess) {
  const PassedListener passed;
  const auto binding = sys::binding_of(passed.fd());
  ASSERT_TRUE(binding);
  EXPECT_EQ(binding->address.text(), "127.0.0.1:" + std::to_string(passed.port()));
  EXPECT_FALSE(binding->v6only);
  const sys::ListenSocket listener =
      sys::adopt_listener(sys::UniqueFd::adopt(fcntl(passed.fd(), F_DUPFD_CLOEXEC, 0)), 9, {});
  EXPECT_EQ(listener.address, binding->address);
  EXPECT_EQ(sys::accept_queue(listener.fd.get()).limit, 9U);
  EXPECT_EQ(sys::accept(listener.fd.get()).error, EAGAIN) << "or it would wait";
}

TEST(ListenSocketTest, BindingOfReturnsNothingForOtherSockets) {
  const PassedListener datagrams(SOCK_DGRAM);
  EXPECT_FALSE(sys::binding_of(datagrams.fd()));
  const auto file = sys::UniqueFd::adopt(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(sys::binding_of(file.get()));
  EXPECT_THROW((void)sys::binding_of(-1), std::system_error);
  const PassedListener listener;
  const TcpPeer peer("127.0.0.1", listener.port());
  EXPECT_FALSE(sys::binding_of(peer.fd()));
}

TEST(LocalListenSocketTest, AnAcceptedConnectionHasItsProcessAndEchoesUrgentBytes) {
  const TemporaryDirectory directory;
  const sys::LocalListener listener({.path = directory.file("a.sock")});
  const sys::UniqueFd client = connected_to_path(listener.path());
  const sys::Accepted accepted = sys::accept(listener.fd());
  ASSERT_EQ(accepted.error, 0);
  EXPECT_EQ(accepted.peer, SocketAddress::of_process(getpid(), getuid()));
  EXPECT_EQ(option_of(accepted.fd.get(), SOL_SOCKET, SO_OOBINLINE), 1);
}

TEST(LocalListenSocketTest, TheKernelTellsNothingOfItsQueue) {
  const TemporaryDirectory directory;
  const sys::LocalListener listener({.path = directory.file("a.sock")});
  const sys::UniqueFd client = connected_to_path(listener.path());
  const sys::AcceptQueue queue = sys::accept_queue(listener.fd());
  EXPECT_EQ(queue.waiting, 0U);
  EXPECT_EQ(queue.limit, 0U);
  EXPECT_TRUE(sys::has_client(listener.fd()));
}

TEST(LocalListenSocketTest, IsRecognizedByItsPath) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.sock");
  const sys::UniqueFd listening = bound_to_path(path);
  const auto binding = sys::binding_of(listening.get());
  ASSERT_TRUE(binding.has_value());
  EXPECT_EQ(binding->path, path);
  const sys::UniqueFd bound = bound_to_path(directory.file("b.sock"), -1);
  EXPECT_FALSE(sys::binding_of(bound.get()).has_value()) << "it does not listen";
  const sys::UniqueFd client = connected_to_path(path);
  EXPECT_FALSE(sys::binding_of(client.get()).has_value());
}

}  // namespace
}  // namespace echod::test
