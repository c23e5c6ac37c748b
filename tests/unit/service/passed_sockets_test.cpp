// Matches passed sockets to [[listen]] entries. activation_test tests the whole daemon.
#include "service/passed_sockets.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "files.hpp"
#include "ipv6.hpp"
#include "local_socket.hpp"
#include "passed_listener.hpp"
#include "service/exit_codes.hpp"
#include "socket_option.hpp"
#include "sys/listen_socket.hpp"

namespace echod::test {
namespace {

constexpr int kPassedBacklog = 16;

SocketAddress address_of(const char* host, std::uint16_t port) {
  return *SocketAddress::parse(host, port);
}

// A socket as systemd opens it, on a port that the kernel chose.
class Passed {
 public:
  explicit Passed(const char* host, bool v6only = false)
      : socket_(sys::open_listener(address_of(host, 0), kPassedBacklog, v6only, {})) {}

  [[nodiscard]] std::uint16_t port() const { return socket_.address.port(); }
  [[nodiscard]] PassedSocket take() { return {.fd = std::move(socket_.fd), .name = "echo"}; }

 private:
  sys::ListenSocket socket_;
};

std::vector<sys::ListenSocket> adopt(PassedSocket socket, const ListenConfig& wanted) {
  Config config;
  config.listen = {wanted};
  std::vector<PassedSocket> passed;
  passed.push_back(std::move(socket));
  return adopt_passed_sockets(std::move(passed), config).streams;
}

// A socket without options, as systemd passes it unless the unit sets some.
PassedSocket bare(const PassedListener& listener) {
  return {.fd = sys::UniqueFd::adopt(fcntl(listener.fd(), F_DUPFD_CLOEXEC, 0)), .name = "echo"};
}

std::string refusal_of(PassedSocket socket, const ListenConfig& wanted) {
  try {
    (void)adopt(std::move(socket), wanted);
  } catch (const StartupError& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.what();
  }
  return "adopted";
}

TEST(PassedSocketsTest, ASocketWithTheSameAddressIsAdopted) {
  Passed passed("127.0.0.1");
  const auto listeners = adopt(passed.take(), {.address = address_of("127.0.0.1", passed.port())});
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_TRUE(listeners[0].is_passed);
  EXPECT_FALSE(listeners[0].fell_back_to_v4);
}

// Accepted connections inherit these options.
TEST(PassedSocketsTest, AnAdoptedSocketIsSetUpLikeOneOfOurOwn) {
  Config config;
  config.socket = {.no_delay = false,
                   .keepalive = true,
                   .keepalive_idle = std::chrono::seconds(11),
                   .keepalive_interval = std::chrono::seconds(12),
                   .keepalive_probes = 13,
                   .user_timeout = std::chrono::milliseconds(1400),
                   .receive_buffer_kib = 15,
                   .send_buffer_kib = 16};
  const PassedListener listener;
  config.listen = {{.address = address_of("127.0.0.1", listener.port()), .backlog = 17}};
  std::vector<PassedSocket> passed;
  passed.push_back(bare(listener));
  const auto adopted = adopt_passed_sockets(std::move(passed), config).streams;
  ASSERT_EQ(adopted.size(), 1U);
  const sys::ListenSocket own =
      sys::open_listener(address_of("127.0.0.1", 0), 17, false, config.socket);
  for (const auto& [level, option] :
       {std::pair(SOL_SOCKET, SO_OOBINLINE), std::pair(SOL_SOCKET, SO_KEEPALIVE),
        std::pair(SOL_SOCKET, SO_RCVBUF), std::pair(SOL_SOCKET, SO_SNDBUF),
        std::pair<int, int>(IPPROTO_TCP, TCP_NODELAY),
        std::pair<int, int>(IPPROTO_TCP, TCP_KEEPIDLE),
        std::pair<int, int>(IPPROTO_TCP, TCP_KEEPINTVL),
        std::pair<int, int>(IPPROTO_TCP, TCP_KEEPCNT),
        std::pair<int, int>(IPPROTO_TCP, TCP_USER_TIMEOUT)}) {
    EXPECT_EQ(option_of(adopted[0].fd.get(), level, option), option_of(own.fd.get(), level, option))
        << level << ' ' << option;
  }
  EXPECT_EQ(adopted[0].backlog, own.backlog);
  EXPECT_EQ(sys::accept_queue(adopted[0].fd.get()).limit, sys::accept_queue(own.fd.get()).limit);
  EXPECT_EQ(fcntl(adopted[0].fd.get(), F_GETFL), fcntl(own.fd.get(), F_GETFL));
}

TEST(PassedSocketsTest, V6onlyMustMatch) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "no IPv6 here";
  }
  Passed both("::");
  const std::uint16_t port = both.port();
  EXPECT_NE(refusal_of(both.take(), {.address = address_of("::", port), .v6only = true})
                .find("(v6only) is not among the passed sockets: "),
            std::string::npos);
  Passed ipv6_only("::", true);
  EXPECT_NE(refusal_of(ipv6_only.take(), {.address = address_of("::", ipv6_only.port())})
                .find("(v6only)"),
            std::string::npos);
}

TEST(PassedSocketsTest, V6onlyIsIgnoredForASingleIpv6Address) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "no IPv6 here";
  }
  for (const bool v6only : {false, true}) {
    Passed passed("::1");
    const ListenConfig wanted{.address = address_of("::1", passed.port()), .v6only = v6only};
    EXPECT_EQ(adopt(passed.take(), wanted).size(), 1U);
  }
}

// On a host without IPv6, a plain port in a socket unit means 0.0.0.0, and so does "::" of
// [[listen]].
TEST(PassedSocketsTest, TheIpv4WildcardMatchesTheDefaultAddress) {
  Passed passed("0.0.0.0");
  const std::uint16_t port = passed.port();
  const auto listeners = adopt(passed.take(), {.address = address_of("::", port)});
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_TRUE(listeners[0].fell_back_to_v4);
  Passed other("0.0.0.0");
  EXPECT_NE(refusal_of(other.take(), {.address = address_of("::", other.port()), .v6only = true}),
            "adopted");
}

TEST(PassedSocketsTest, UdpSocketsAreMatchedByProtocolAndAddress) {
  Passed tcp("127.0.0.1");
  sys::DatagramSocket same =
      sys::open_datagram_socket(address_of("127.0.0.1", tcp.port()), false, {});
  sys::DatagramSocket other =
      sys::open_datagram_socket(address_of("127.0.0.2", tcp.port()), false, {});
  Config config;
  config.socket.receive_buffer_kib = 20;
  config.listen = {{.protocol = Protocol::udp, .address = other.address},
                   {.address = address_of("127.0.0.1", tcp.port())},
                   {.protocol = Protocol::udp, .address = same.address}};
  std::vector<PassedSocket> passed;
  passed.push_back({.fd = std::move(same.fd), .name = "one"});
  passed.push_back({.fd = std::move(other.fd), .name = "other"});
  passed.push_back(tcp.take());
  const PassedListeners adopted = adopt_passed_sockets(std::move(passed), config);
  ASSERT_EQ(adopted.streams.size(), 1U);
  ASSERT_EQ(adopted.datagrams.size(), 2U);
  EXPECT_EQ(adopted.datagrams[0].address, other.address);
  EXPECT_EQ(adopted.datagrams[1].address, same.address);
  EXPECT_TRUE(adopted.datagrams[0].is_passed);
  EXPECT_EQ(adopted.datagrams[0].receive_buffer_bytes, 2U * 20 * 1024);
}

TEST(PassedSocketsTest, ATcpSocketIsNotForUdp) {
  Passed tcp("127.0.0.1");
  const std::string address = "127.0.0.1:" + std::to_string(tcp.port());
  EXPECT_EQ(refusal_of(tcp.take(),
                       {.protocol = Protocol::udp, .address = address_of("127.0.0.1", tcp.port())}),
            "socket activation: [[listen]] udp " + address +
                " is not among the passed sockets: " + address +
                " (echo); change [[listen]], or ListenStream= and ListenDatagram= of the "
                "socket unit");
}

TEST(PassedSocketsTest, AUnixSocketWithoutAPathIsRefused) {
  PassedSocket local{.fd = sys::UniqueFd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                     .name = "local"};
  sockaddr_un any{};
  any.sun_family = AF_UNIX;  // Without a path the kernel chooses a name.
  ASSERT_EQ(::bind(local.fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any.sun_family),
            0);
  ASSERT_EQ(::listen(local.fd.get(), kPassedBacklog), 0);
  EXPECT_EQ(refusal_of(std::move(local), {}),
            "socket activation: local is not a listening TCP or UNIX socket or a bound UDP socket; "
            "its unit needs ListenStream= with a port or path, or ListenDatagram= with a port, "
            "Accept=no, and no SocketProtocol=");
}

TEST(PassedSocketsTest, AUnixSocketIsMatchedByItsPathAndKeepsIt) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a.sock");
  const ListenConfig wanted{.backlog = 17, .path = path};
  const auto listeners = adopt({.fd = bound_to_path(path), .name = "echo"}, wanted);
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_EQ(listeners[0].path, path);
  EXPECT_EQ(listeners[0].name, "unix:" + path);
  EXPECT_EQ(listeners[0].backlog, 17);
  EXPECT_TRUE(listeners[0].is_passed);
  EXPECT_NE(fcntl(listeners[0].fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(refusal_of({.fd = bound_to_path(directory.file("b.sock")), .name = "echo"}, wanted),
            "socket activation: [[listen]] unix:" + path +
                " is not among the passed sockets: unix:" + directory.file("b.sock") +
                " (echo); change [[listen]], or ListenStream= and ListenDatagram= of the "
                "socket unit");
}

TEST(PassedSocketsTest, AUnixSocketIsNotForAnAddress) {
  const TemporaryDirectory directory;
  EXPECT_NE(refusal_of({.fd = bound_to_path(directory.file("a.sock")), .name = "echo"},
                       {.address = SocketAddress::any_v4(0)})
                .find("is not among the passed sockets"),
            std::string::npos);
  Passed tcp("127.0.0.1");
  EXPECT_NE(refusal_of(tcp.take(), {.path = directory.file("a.sock")})
                .find("is not among the passed sockets"),
            std::string::npos);
}

}  // namespace
}  // namespace echod::test
