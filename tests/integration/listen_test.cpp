// Listening addresses, and the errors for those that cannot be opened.
#include <unistd.h>

#include "daemon_test.hpp"
#include "reserved_port.hpp"

namespace echod::test {
namespace {

constexpr int kCannotListen = 69;
constexpr int kNoPermission = 77;

std::string listen_on(const std::string& address, std::uint16_t port,
                      const std::string& more = "") {
  return "[[listen]]\naddress = \"" + address + "\"\nport = " + std::to_string(port) + '\n' + more;
}

class ListenTest : public DaemonTest {
 protected:
  [[nodiscard]] bool is_echoing(const std::string& host, std::uint16_t port) {
    TcpPeer peer(host, port);
    return peer.echoes("hello " + host);
  }
};

TEST_F(ListenTest, SeveralAddressesAreServedByOneDaemon) {
  start(listen_on("127.0.0.1", 0) + listen_on("127.0.0.2", 0) + listen_on("::1", 0));
  ASSERT_EQ(daemon().listeners().size(), 3U);
  for (const ListenAddress& listener : daemon().listeners()) {
    EXPECT_TRUE(is_echoing(listener.host, listener.port)) << listener.host;
  }
  daemon().expect_counter("accepted", 3);
}

TEST_F(ListenTest, ADualStackListenerServesBothAndLogsIPv4Addresses) {
  start(listen_on("::", 0));
  EXPECT_EQ(daemon().listeners()[0].host, "::");
  EXPECT_TRUE(is_echoing("::1", daemon().port()));
  EXPECT_TRUE(is_echoing("127.0.0.1", daemon().port()));
  (void)daemon().wait_for_log("open peer=[::1]:");
  (void)daemon().wait_for_log("open peer=127.0.0.1:");
  EXPECT_EQ(daemon().count_log("ffff"), 0U);
}

TEST_F(ListenTest, AV6OnlyListenerRefusesIPv4) {
  const ReservedPort reserved;  // So that no other program listens on this port over IPv4.
  start(listen_on("::", reserved.port(), "v6only = true\n"));
  EXPECT_TRUE(is_echoing("::1", daemon().port()));
  EXPECT_THROW(TcpPeer("127.0.0.1", daemon().port()), std::system_error);
}

TEST_F(ListenTest, TheConfiguredBacklogIsLogged) {
  start(listen_on("127.0.0.1", 0, "backlog = 17\n"));
  EXPECT_TRUE(daemon().wait_for_err("listening on ").ends_with(", backlog 17"));
}

TEST_F(ListenTest, ABacklogThatTheKernelCutsCausesAWarning) {
  start(listen_on("127.0.0.1", 0, "backlog = 1048576\n"));
  daemon().expect_log("net.core.somaxconn");
  const std::string line = daemon().wait_for_err("net.core.somaxconn");
  EXPECT_NE(line.find("1048576"), std::string::npos) << line;
}

TEST_F(ListenTest, APortInUseIsOneErrorLineWithItsExitCode) {
  start();
  const std::string port = std::to_string(daemon().port());
  const TemporaryDirectory directory;
  write_file(directory.file("empty.toml"), "");
  const ChildResult second = run_echod(
      {"--config", "empty.toml", "--address", "127.0.0.1", "--port", port}, directory.path());
  EXPECT_EQ(second.exit_code, kCannotListen);
  EXPECT_EQ(lines_of(second.err).size(), 1U) << second.err;
  EXPECT_NE(second.err.find("127.0.0.1:" + port), std::string::npos) << second.err;
  EXPECT_NE(second.err.find("Address already in use"), std::string::npos) << second.err;
}

TEST_F(ListenTest, AnAddressOfAnotherHostIsAnErrorWithItsExitCode) {
  const TemporaryDirectory directory;
  write_file(directory.file("echod.toml"), listen_on("192.0.2.1", 0));
  const ChildResult result = run_echod({"--config", "echod.toml"}, directory.path());
  EXPECT_EQ(result.exit_code, kCannotListen);
  EXPECT_NE(result.err.find("192.0.2.1"), std::string::npos) << result.err;
}

TEST_F(ListenTest, WithoutRootPortSevenIsRefused) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to start the daemon as another user";
  }
  if (std::stoi(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start")) <= 7) {
    GTEST_SKIP() << "port 7 needs no privilege on this host";
  }
  const TemporaryDirectory directory;
  write_file(directory.file("echod.toml"), listen_on("127.0.0.1", 7));
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  std::filesystem::copy_file(ECHOD_BINARY, directory.file("echod"));
  constexpr uid_t kNobody = 65534;
  const ChildResult result =
      run({.arguments = {directory.file("echod"), "--config", "echod.toml", "--log-file", ""},
           // The folder for the counters of a coverage build.
           .environment = {"GCOV_PREFIX=" + directory.path().string()},
           .directory = directory.path(),
           .user = kNobody});
  EXPECT_EQ(result.exit_code, kNoPermission) << result.err;
  EXPECT_EQ(lines_of(result.err).size(), 1U) << result.err;
  EXPECT_NE(result.err.find("127.0.0.1:7"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("Permission denied"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace echod::test
