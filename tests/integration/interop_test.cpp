// Clients that people use get their bytes back, after a half-close too.
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

  static void expect_ok(const ChildResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out, "ok " + std::to_string(kBytes) + '\n');
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
  const std::string client = directory.file("echo_client");
  const ChildResult built =
      run({.arguments = {"go", "build", "-o", client,
                         ECHOD_SOURCE_DIR "/tests/integration/clients/echo_client.go"},
           .environment = {"GOFLAGS=-mod=mod", "GOCACHE=" + directory.file("cache"),
                           "GOPATH=" + directory.file("path"), "CGO_ENABLED=0"},
           .directory = directory.path()});
  ASSERT_EQ(built.exit_code, 0) << built.err;
  expect_ok(run({.arguments = {client, "127.0.0.1:" + port(), std::to_string(kBytes)}}));
}

}  // namespace
}  // namespace echod::test
