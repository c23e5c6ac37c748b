// The error messages for ports that cannot be opened, and whether their hints work.
#include "service/listen_error.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "child_process.hpp"
#include "sys/kernel_setting.hpp"
#include "sys/listen_socket.hpp"
#include "sys/unique_fd.hpp"

namespace echod::test {
namespace {

constexpr const char* kHost = "127.0.0.1";

StartupError error_of(int error, std::uint16_t port, const char* host = kHost) {
  return listen_error({.address = *SocketAddress::parse(host, port)},
                      std::system_error(error, std::system_category(), "bind"));
}

bool says(const StartupError& error, const std::string& words) {
  return std::string(error.what()).find(words) != std::string::npos;
}

// A socket bound to a port that the kernel chose, without SO_REUSEADDR.
class HeldPort {
 public:
  HeldPort() : fd_(sys::UniqueFd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    sockaddr_storage storage{};
    const socklen_t length = SocketAddress::parse(kHost, 0)->to(storage);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
    socklen_t size = sizeof storage;
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &size), 0);
    address_ = SocketAddress::from(storage);
  }

  void listen() const { EXPECT_EQ(::listen(fd_.get(), 1), 0); }
  void connect_to(const SocketAddress& peer) const {
    sockaddr_storage storage{};
    const socklen_t length = peer.to(storage);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
  }
  [[nodiscard]] const SocketAddress& address() const { return address_; }

  // The error message of echod for this address.
  [[nodiscard]] std::string message() const {
    try {
      (void)sys::open_listener(address_, 1, false, {});
    } catch (const std::system_error& error) {
      const StartupError startup_error = listen_error({.address = address_}, error);
      EXPECT_EQ(startup_error.code(), ExitCode::cannot_listen);
      return startup_error.what();
    }
    ADD_FAILURE() << "the port is free";
    return "";
  }

 private:
  sys::UniqueFd fd_;
  SocketAddress address_;
};

// Runs the command that follows `words` in `message`, and returns its lines about sockets.
std::string shown_by_command(const std::string& message, const std::string& words) {
  const std::size_t begin = message.find(words);
  EXPECT_NE(begin, std::string::npos) << message;
  const std::string rest = message.substr(begin + words.size());
  return run({.arguments = {"sh", "-c", rest.substr(0, rest.find(';')) + " --no-header"}}).out;
}

class PortInUseTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_installed("ss")) {
      GTEST_SKIP() << "needs ss, of iproute2";
    }
  }
  static constexpr const char* kWords = "find the program that holds the port with: ";

  const HeldPort held_;
};

TEST_F(PortInUseTest, ByAListenerIsShownByTheNamedCommand) {
  held_.listen();
  EXPECT_NE(shown_by_command(held_.message(), kWords).find("LISTEN"), std::string::npos);
}

TEST_F(PortInUseTest, ByAConnectionIsShownByTheNamedCommand) {
  const HeldPort peer;
  peer.listen();
  held_.connect_to(peer.address());
  EXPECT_NE(shown_by_command(held_.message(), kWords).find("ESTAB"), std::string::npos);
}

TEST_F(PortInUseTest, ByABoundSocketIsShownByTheSecondCommand) {
  EXPECT_EQ(shown_by_command(held_.message(), kWords), "");
  if (run({.arguments = {"ss", "-tBn"}}).exit_code != 0) {
    GTEST_SKIP() << "this version of ss does not know -B";
  }
  EXPECT_NE(shown_by_command(held_.message(), "which newer versions show with: ")
                .find(held_.address().text()),
            std::string::npos);
}

TEST(ListenErrorTest, NamesTheCapabilityForAPrivilegedPort) {
  const auto first = sys::kernel_setting("net/ipv4/ip_unprivileged_port_start", 1024);
  if (first < 2 || first > 65535) {
    GTEST_SKIP() << "all ports are alike here";
  }
  const std::string hint =
      "a port below " + std::to_string(first) + " needs root or CAP_NET_BIND_SERVICE";
  const StartupError below = error_of(EACCES, static_cast<std::uint16_t>(first - 1));
  EXPECT_EQ(below.code(), ExitCode::no_permission);
  EXPECT_EQ(below.error(), EACCES);
  EXPECT_TRUE(says(below, hint)) << below.what();
  EXPECT_FALSE(says(error_of(EACCES, static_cast<std::uint16_t>(first)), hint));
}

TEST(ListenErrorTest, NamesASecurityPolicyForAnyOtherForbiddenPort) {
  for (const StartupError& error :
       {error_of(EACCES, 65535), error_of(EACCES, 0), error_of(EPERM, 65535), error_of(EPERM, 7)}) {
    EXPECT_EQ(error.code(), ExitCode::no_permission);
    EXPECT_TRUE(says(error, "a security policy refuses it")) << error.what();
    EXPECT_FALSE(says(error, "CAP_NET_BIND_SERVICE")) << error.what();
  }
}

TEST(ListenErrorTest, NamesTheCommandThatListsTheAddressesOfThisHost) {
  const StartupError error = error_of(EADDRNOTAVAIL, 2003);
  EXPECT_EQ(error.code(), ExitCode::cannot_listen);
  EXPECT_TRUE(says(error, "ip address"));
}

// RestrictAddressFamilies= gives the same error as a kernel without IPv6.
TEST(ListenErrorTest, NamesAMissingAddressFamilyAndWhatMayForbidIt) {
  const StartupError error = error_of(EAFNOSUPPORT, 2003, "::1");
  EXPECT_EQ(error.code(), ExitCode::cannot_listen);
  EXPECT_TRUE(says(error, "no IPv6, or RestrictAddressFamilies=")) << error.what();
  EXPECT_TRUE(says(error_of(EAFNOSUPPORT, 2003), "no IPv4"));
}

TEST(ListenErrorTest, NamesTheLimitOnOpenFilesAndAddsNothingToOtherErrors) {
  EXPECT_TRUE(says(error_of(EMFILE, 2003), "; raise ulimit -n"));
  EXPECT_EQ(error_of(EMFILE, 2003).code(), ExitCode::system);
  EXPECT_STREQ(error_of(ENOMEM, 2003).what(),
               "cannot listen on 127.0.0.1:2003: bind: Cannot allocate memory");
}

TEST(ListenErrorTest, OfAPathSaysWhatToDo) {
  const auto message = [](int error, const std::string& call) {
    return std::string(listen_error({.path = "/run/a.sock"},
                                    std::system_error(error, std::system_category(), call))
                           .what());
  };
  EXPECT_EQ(message(EADDRINUSE, "flock /run/a.sock.lock"),
            "cannot listen on unix:/run/a.sock: flock /run/a.sock.lock: Address already in use; "
            "another process serves it; stop that one, or choose another path");
  EXPECT_TRUE(message(EPERM, "lchown /run/a.sock.new")
                  .ends_with("another owner needs CAP_CHOWN; "
                             "another group needs that too, or echod's user as a member"));
  EXPECT_TRUE(message(EACCES, "open /run/a.sock.lock")
                  .ends_with("echod's user must be able to write to its directory"));
  EXPECT_TRUE(message(EINVAL, "lchown /run/a.sock.new").ends_with("PrivateUsers= of the unit"));
}

}  // namespace
}  // namespace echod::test
