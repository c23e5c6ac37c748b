// Which passed socket is for which [[listen]]; activation_test has the whole daemon.
#include "passed_sockets.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "exit_codes.hpp"
#include "ipv6.hpp"
#include "listen_socket.hpp"

namespace echod::test {
namespace {

constexpr int kPassedBacklog = 16;

sys::SocketAddress address_of(const char* host, std::uint16_t port) {
  return *sys::SocketAddress::parse(host, port);
}

// A socket as systemd opens it, on a port of the kernel's choice.
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
  return adopt_passed_sockets(std::move(passed), config);
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

TEST(PassedSocketsTest, OneOfTheSameAddressIsAdopted) {
  Passed passed("127.0.0.1");
  const auto listeners = adopt(passed.take(), {.address = address_of("127.0.0.1", passed.port())});
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_TRUE(listeners[0].is_passed);
  EXPECT_FALSE(listeners[0].fell_back_to_v4);
}

TEST(PassedSocketsTest, WhetherIpv4IsServedTooMustAgree) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "no IPv6 here";
  }
  Passed both("::");
  const std::uint16_t port = both.port();
  EXPECT_NE(refusal_of(both.take(), {.address = address_of("::", port), .v6only = true})
                .find("(v6only) is not among the sockets that were passed: "),
            std::string::npos);
  Passed alone("::", true);
  EXPECT_NE(refusal_of(alone.take(), {.address = address_of("::", alone.port())}).find("(v6only)"),
            std::string::npos);
}

TEST(PassedSocketsTest, ASingleIpv6AddressIsTheSameWithAndWithoutV6only) {
  if (!has_ipv6()) {
    GTEST_SKIP() << "no IPv6 here";
  }
  for (const bool v6only : {false, true}) {
    Passed passed("::1");
    const ListenConfig wanted{.address = address_of("::1", passed.port()), .v6only = v6only};
    EXPECT_EQ(adopt(passed.take(), wanted).size(), 1U);
  }
}

// A mere port in a socket unit is that on a host without IPv6, as [[listen]] is by default.
TEST(PassedSocketsTest, AllIpv4AddressesServeForAllAddresses) {
  Passed passed("0.0.0.0");
  const std::uint16_t port = passed.port();
  const auto listeners = adopt(passed.take(), {.address = address_of("::", port)});
  ASSERT_EQ(listeners.size(), 1U);
  EXPECT_TRUE(listeners[0].fell_back_to_v4);
  Passed other("0.0.0.0");
  EXPECT_NE(refusal_of(other.take(), {.address = address_of("::", other.port()), .v6only = true}),
            "adopted");
}

TEST(PassedSocketsTest, ALocalSocketIsRefused) {
  PassedSocket local{.fd = sys::UniqueFd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
                     .name = "local"};
  sockaddr_un any{};
  any.sun_family = AF_UNIX;  // Without a path the kernel chooses a name.
  ASSERT_EQ(::bind(local.fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any.sun_family),
            0);
  ASSERT_EQ(::listen(local.fd.get(), kPassedBacklog), 0);
  EXPECT_EQ(refusal_of(std::move(local), {}),
            "socket activation: local is no TCP socket that listens; its unit needs ListenStream= "
            "with a port, and Accept=no");
}

}  // namespace
}  // namespace echod::test
