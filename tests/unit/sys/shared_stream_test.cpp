// Full and empty streams on the real kernel.
#include "sys/shared_stream.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include "pseudo_terminal.hpp"
#include "sys/wait_ready.hpp"

namespace echod::test {
namespace {

using sys::SharedStream;

class SharedStreamTest : public testing::Test {
 protected:
  ~SharedStreamTest() override {
    for (const int fd : ends_) {
      (void)close(fd);
    }
  }

  void make_pipe() { ASSERT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  void make_sockets() {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0);
  }
  [[nodiscard]] int in() const { return ends_[0]; }
  [[nodiscard]] int out() const { return ends_[1]; }
  // Writes until the stream is full. No write blocks. The kernel moves the bytes of a terminal to
  // its other end in the background, so a full terminal may have space again.
  static void fill(int fd) {
    const SharedStream stream(fd, O_WRONLY);
    const std::string bytes(1000, 'x');
    do {
      while (stream.write(bytes).ok() || stream.write("x").ok()) {
      }
    } while (sys::wait_ready(fd, POLLOUT, soon()) != 0);
    EXPECT_TRUE(stream.write("x").would_block());
  }
  static sys::TimePoint soon() {
    return sys::MonotonicClock::now() + std::chrono::milliseconds(50);
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(SharedStreamTest, AWriteToAFullPipeDoesNotBlockAndKeepsItsFlags) {
  make_pipe();
  fill(out());
  const SharedStream stream(out(), O_WRONLY);
  EXPECT_TRUE(stream.write_all("more", soon()).would_block());
  EXPECT_EQ(fcntl(out(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(SharedStreamTest, AReadFromAnEmptyPipeDoesNotBlock) {
  make_pipe();
  const SharedStream stream(in(), O_RDONLY);
  std::array<char, 8> bytes{};
  EXPECT_TRUE(stream.read(bytes).would_block());
  ASSERT_EQ(write(out(), "abc", 3), 3);
  EXPECT_EQ(stream.read(bytes).count(), 3U);
  EXPECT_EQ(fcntl(in(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(SharedStreamTest, AWriteToAFullSocketDoesNotBlock) {
  make_sockets();
  fill(out());
}

TEST_F(SharedStreamTest, AReadFromAnEmptySocketDoesNotBlock) {
  make_sockets();
  std::array<char, 8> bytes{};
  EXPECT_TRUE(SharedStream(in(), O_RDONLY).read(bytes).would_block());
}

// poll(2) reports a terminal as writable even if a write may block.
TEST_F(SharedStreamTest, AWriteToAFullTerminalDoesNotBlock) {
  const PseudoTerminal terminal;
  fill(terminal.fd());
  const SharedStream stream(terminal.fd(), O_WRONLY);
  EXPECT_TRUE(stream.write_all(std::string(5000, 'x'), soon()).would_block());
  EXPECT_EQ(fcntl(terminal.fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(SharedStreamTest, AReadFromATerminalWithoutInputDoesNotBlock) {
  const PseudoTerminal terminal;
  std::array<char, 8> bytes{};
  EXPECT_TRUE(SharedStream(terminal.fd(), O_RDONLY).read(bytes).would_block());
}

TEST_F(SharedStreamTest, WriteAllWritesEverythingToAPipeThatIsRead) {
  make_pipe();
  const std::string text(3000, 'x');
  EXPECT_EQ(SharedStream(out(), O_WRONLY).write_all(text, soon()).count(), text.size());
  std::string got(text.size(), '\0');
  EXPECT_EQ(read(in(), got.data(), got.size()), static_cast<ssize_t>(got.size()));
  EXPECT_EQ(got, text);
}

}  // namespace
}  // namespace echod::test
