// Clients that people use get their bytes back, after a half-close too.
#include <csignal>

#include "daemon_test.hpp"
#include "pattern.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kBytes = 3'000'000;

class InteropTest : public DaemonTest {
 protected:
  void SetUp() override { start(); }

  [[nodiscard]] std::string port() { return std::to_string(daemon().port()); }

  // Runs a client that copies its standard input to the network and the network to its output.
  static ChildResult run_pipe(const std::vector<std::string>& arguments, const std::string& input) {
    ChildProcess child({.arguments = arguments, .has_stdin = true});
    child.write_stdin(input);
    child.close_stdin();
    const std::optional<int> exit_code = child.wait();
    if (!exit_code) {
      throw std::runtime_error(arguments[0] + " does not end");
    }
    return {.exit_code = *exit_code, .out = child.out(), .err = child.err()};
  }

  static void expect_ok(const ChildResult& result, std::size_t count = kBytes) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "ok " + std::to_string(count) + '\n');
  }

  // Builds a client in Go. Returns its path.
  static std::string built_go(const std::string& name, const TemporaryDirectory& directory) {
    const ChildResult built =
        run({.arguments = {"go", "build", "-o", directory.file(name),
                           ECHOD_SOURCE_DIR "/tests/integration/clients/" + name + ".go"},
             .environment = {"GOFLAGS=-mod=mod", "GOCACHE=" + directory.file("cache"),
                             "GOPATH=" + directory.file("path"), "CGO_ENABLED=0"},
             .directory = directory.path()});
    EXPECT_EQ(built.exit_code, 0) << built.err;
    return directory.file(name);
  }
};

TEST_F(InteropTest, Netcat) {
  if (!is_installed("nc")) {
    GTEST_SKIP() << "nc is not installed (scripts/test installs it)";
  }
  const bool is_openbsd =
      run({.arguments = {"nc", "-h"}}).err.find("OpenBSD netcat") != std::string::npos;
  if (!is_openbsd) {
    GTEST_SKIP() << "this nc has no -N to half-close (install netcat-openbsd)";
  }
  EXPECT_EQ(run_pipe({"nc", "-N", "127.0.0.1", port()}, "hello\n").out, "hello\n");
  const std::string bytes = Pattern(1).slice(0, kBytes);
  EXPECT_TRUE(run_pipe({"nc", "-N", "127.0.0.1", port()}, bytes).out == bytes);
}

TEST_F(InteropTest, Socat) {
  if (!is_installed("socat")) {
    GTEST_SKIP() << "socat is not installed (scripts/test installs it)";
  }
  const std::string address = "TCP:127.0.0.1:" + port();
  EXPECT_EQ(run_pipe({"socat", "-t60", "-", address}, "hello\n").out, "hello\n");
  const std::string bytes = Pattern(2).slice(0, kBytes);
  EXPECT_TRUE(run_pipe({"socat", "-t60", "-", address}, bytes).out == bytes);
}

TEST_F(InteropTest, PythonAsyncio) {
  if (!is_installed("python3")) {
    GTEST_SKIP() << "python3 is not installed (scripts/test --all installs it)";
  }
  expect_ok(
      run({.arguments = {"python3", ECHOD_SOURCE_DIR "/tests/integration/clients/echo_client.py",
                         "127.0.0.1", port(), std::to_string(kBytes)}}));
}

TEST_F(InteropTest, Go) {
  if (!is_installed("go")) {
    GTEST_SKIP() << "go is not installed (scripts/test --all installs it)";
  }
  const TemporaryDirectory directory;
  expect_ok(run({.arguments = {built_go("echo_client", directory), "127.0.0.1:" + port(),
                               std::to_string(kBytes)}}));
}

// The same for datagrams.
class InteropDatagramTest : public InteropTest {
 protected:
  static constexpr std::size_t kDatagrams = 300;

  void SetUp() override {
    start("[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1\"\nport = 0\n")
        .allow_log("raise net.core.rmem_max");
  }
  [[nodiscard]] std::string datagram_port() { return std::to_string(daemon().datagram_port()); }

  // Runs a client that sends each line of its standard input as a datagram and prints what comes
  // back. There is no end of the stream, so the client is killed when all has come.
  void expect_lines_back(const std::vector<std::string>& arguments) {
    if (!is_installed(arguments[0])) {
      GTEST_SKIP() << arguments[0] << " is not installed (scripts/test --all installs it)";
    }
    ChildProcess child({.arguments = arguments, .has_stdin = true});
    std::string sent;
    for (const std::string line : {"hello\n", "and once more\n"}) {
      child.write_stdin(line);
      sent += line;
      wait_until("the line to come back", [&] { return child.out() == sent; });
    }
    daemon().expect_counter("datagrams_echoed", 2);
    child.signal(SIGKILL);
    (void)child.wait();
  }
};

TEST_F(InteropDatagramTest, Netcat) {
  expect_lines_back({"nc.openbsd", "-u", "127.0.0.1", datagram_port()});
}

TEST_F(InteropDatagramTest, Ncat) {
  expect_lines_back({"ncat", "-u", "127.0.0.1", datagram_port()});
}

TEST_F(InteropDatagramTest, Socat) {
  expect_lines_back({"socat", "-", "UDP:127.0.0.1:" + datagram_port()});
}

TEST_F(InteropDatagramTest, PythonAsyncio) {
  if (!is_installed("python3")) {
    GTEST_SKIP() << "python3 is not installed (scripts/test --all installs it)";
  }
  expect_ok(run({.arguments = {"python3",
                               ECHOD_SOURCE_DIR "/tests/integration/clients/datagram_client.py",
                               "127.0.0.1", datagram_port(), std::to_string(kDatagrams)}}),
            kDatagrams);
}

TEST_F(InteropDatagramTest, Go) {
  if (!is_installed("go")) {
    GTEST_SKIP() << "go is not installed (scripts/test --all installs it)";
  }
  const TemporaryDirectory directory;
  expect_ok(run({.arguments = {built_go("datagram_client", directory),
                               "127.0.0.1:" + datagram_port(), std::to_string(kDatagrams)}}),
            kDatagrams);
}

}  // namespace
}  // namespace echod::test
