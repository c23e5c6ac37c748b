// Runs echoload check against common echo servers and records what each of them does.
#include <arpa/inet.h>

#include <map>

#include "daemon_test.hpp"
#include "load_client.hpp"

namespace echod::test {
namespace {

// A free port, for servers that cannot choose one themselves. It is below the range that connect(2)
// chooses from, so that no client gets it meanwhile.
std::uint16_t free_port() {
  constexpr std::uint16_t kFirst = 21000;
  constexpr std::uint16_t kLast = 31000;
  static std::uint16_t next = static_cast<std::uint16_t>(kFirst + getpid() % (kLast - kFirst));
  for (;; next = next == kLast ? kFirst : static_cast<std::uint16_t>(next + 1)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(next);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    if (is_free) {
      return next++;
    }
  }
}

class EcholoadInteropTest : public testing::Test {
 protected:
  // The checks by name, with their verdicts.
  using Verdicts = std::map<std::string, std::string>;

  void SetUp() override {
    if (kSanitized) {
      GTEST_SKIP() << "other people's servers have nothing for our sanitizers";
    }
  }

  static void start_on_port(std::uint16_t port, const std::vector<std::string>& arguments,
                            std::unique_ptr<ChildProcess>& server) {
    server = std::make_unique<ChildProcess>(ChildOptions{.arguments = arguments});
    wait_until("a listener on port " + std::to_string(port), [port] {
      try {
        const TcpPeer peer("127.0.0.1", port);
        return true;
      } catch (const std::exception&) {
        return false;
      }
    });
  }

  static std::uint16_t start_python(const std::string& script,
                                    std::unique_ptr<ChildProcess>& server) {
    server = std::make_unique<ChildProcess>(ChildOptions{
        .arguments = {"python3", ECHOD_SOURCE_DIR "/tests/integration/servers/" + script}});
    if (!server->wait_for_err(
            [](const std::string& err) { return err.find('\n') != std::string::npos; })) {
      throw std::runtime_error("no port from " + script + ": " + server->err());
    }
    return static_cast<std::uint16_t>(std::stoi(server->err()));
  }

  static Verdicts check(std::uint16_t port, int exit_code) {
    const ChildResult result = run(
        {.arguments = {ECHOLOAD_BINARY, "check", "--json", "--timeout", "3s", local_target(port)}});
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err;
    Verdicts verdicts;
    const auto report = nlohmann::json::parse(result.out);
    for (const auto& one : report["checks"]) {
      verdicts[one["name"]] = one["verdict"];
    }
    return verdicts;
  }

  std::unique_ptr<ChildProcess> server_;
};

TEST_F(EcholoadInteropTest, EchodPassesEveryCheck) {
  DaemonProcess daemon;
  const Verdicts verdicts = check(daemon.port(), 0);
  EXPECT_EQ(verdicts.size(), 12U);
  daemon.finish();
}

// socat drops the rest half a second after the end of its input (option -t).
TEST_F(EcholoadInteropTest, SocatLosesTheTailOfALateReader) {
  if (!is_installed("socat")) {
    GTEST_SKIP() << "socat is not installed (scripts/test installs it)";
  }
  const std::uint16_t port = free_port();
  start_on_port(port,
                {"socat", "TCP-LISTEN:" + std::to_string(port) + ",fork,reuseaddr,backlog=512",
                 "EXEC:/bin/cat"},
                server_);
  const Verdicts verdicts = check(port, 1);
  EXPECT_EQ(verdicts.at("small message"), "pass");
  EXPECT_EQ(verdicts.at("byte by byte"), "pass");
  EXPECT_EQ(verdicts.at("half-close, late reader"), "fail");
}

// ncat kills the program at the end of its input, and with it the bytes not yet sent back.
TEST_F(EcholoadInteropTest, NcatLosesBytesInFlightAtAHalfClose) {
  if (!is_installed("ncat")) {
    GTEST_SKIP() << "ncat is not installed (scripts/test --all installs it)";
  }
  const std::uint16_t port = free_port();
  start_on_port(port, {"ncat", "-l", "-k", "-p", std::to_string(port), "-e", "/bin/cat"}, server_);
  const Verdicts verdicts = check(port, 1);
  EXPECT_EQ(verdicts.at("small message"), "pass");
  EXPECT_EQ(verdicts.at("half-close, late reader"), "fail");
}

TEST_F(EcholoadInteropTest, ThePythonExampleEchoesOneReadAndCloses) {
  if (!is_installed("python3")) {
    GTEST_SKIP() << "python3 is not installed (scripts/test --all installs it)";
  }
  const Verdicts verdicts = check(start_python("asyncio_example.py", server_), 1);
  EXPECT_EQ(verdicts.at("small message"), "pass");
  EXPECT_EQ(verdicts.at("binary"), "fail");
  EXPECT_EQ(verdicts.at("byte by byte"), "fail");
}

TEST_F(EcholoadInteropTest, APythonServerThatReadsToTheEndPasses) {
  if (!is_installed("python3")) {
    GTEST_SKIP() << "python3 is not installed (scripts/test --all installs it)";
  }
  (void)check(start_python("asyncio_streams.py", server_), 0);
}

}  // namespace
}  // namespace echod::test
