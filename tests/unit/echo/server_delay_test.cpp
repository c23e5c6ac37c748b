// Which rounds are timed, and what is measured. The script decides how old the received bytes are.
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <numeric>
#include <string_view>

#include "echo/connection.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::string_view kFull = "0123456789abcdef";  // Fills a block.

class ServerDelayTest : public EchoFixture {
 protected:
  ServerDelayTest() { time_one_read_in(1); }

  void time_one_read_in(std::uint32_t reads) {
    EchoSettings settings = context_.settings;
    settings.reads_per_sample = reads;
    context_.apply(settings);
  }

  // A turn that echoes "hello", which arrived `age` ago.
  void echo(nanoseconds age, int fd = kFd) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN}});
    kernel_.expect_recv(fd, "hello").arrived_before(age);
    kernel_.expect_send(fd, "hello");
    iterate();
  }
  // The first two bytes of "hello" are sent, then the peer's window is full.
  void echo_blocked() {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
    kernel_.expect_recv(kFd, "hello").arrived_before(milliseconds(1));
    kernel_.expect_send(kFd, "hello", 2);
    kernel_.expect_modify(kFd, kWriting);
    iterate();
  }
  void send_the_rest() {
    kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
    kernel_.expect_send(kFd, "llo");
    kernel_.expect_modify(kFd, kReading);
    iterate();
  }

  [[nodiscard]] nanoseconds sum() const { return context_.server_delay.values().sum; }
  [[nodiscard]] std::uint64_t samples() const {
    const auto counts = context_.server_delay.values().counts;
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }
};

TEST_F(ServerDelayTest, ADelayLastsFromTheArrivalUntilTheKernelHasTheEcho) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello").arrived_before(microseconds(30));
  kernel_.expect_send(kFd, "hello").then([this] { kernel_.advance(microseconds(12)); });
  iterate();
  EXPECT_EQ(samples(), 1U);
  EXPECT_EQ(sum(), microseconds(42));
  EXPECT_EQ(context_.server_delay.values().counts[3], 1U) << "more than 25 us, at most 50";
}

TEST_F(ServerDelayTest, EachRoundOfATurnIsMeasuredByItself) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, kFull).arrived_before(milliseconds(5));
  kernel_.expect_send(kFd, kFull);
  kernel_.expect_recv(kFd, "hello").arrived_before(milliseconds(1));
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(samples(), 2U);
  EXPECT_EQ(sum(), milliseconds(6));
}

TEST_F(ServerDelayTest, OneReadInSixtyFourIsTimed) {
  constexpr int kInterval = 64;
  constexpr int kSamples = 1000;
  time_one_read_in(kInterval);
  connect(kFd);
  for (int i = 0; i < kSamples * kInterval; ++i) {
    echo(milliseconds(1));
  }
  EXPECT_NEAR(static_cast<double>(samples()), kSamples, 60);
  EXPECT_EQ(sum(), samples() * milliseconds(1));
}

TEST_F(ServerDelayTest, NothingIsTimedWithAnIntervalOfZero) {
  time_one_read_in(0);
  connect(kFd);
  for (int i = 0; i < 1000; ++i) {
    echo(milliseconds(1));
  }
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, ADelayThatIsNegativeOrLongerThanAMinuteIsNotCounted) {
  connect(kFd);
  echo(-nanoseconds(1));
  echo(seconds(60) + nanoseconds(1));
  echo(std::chrono::hours(5));
  EXPECT_EQ(samples(), 0U);
  echo(nanoseconds(0));
  echo(seconds(60));
  EXPECT_EQ(samples(), 2U);
  EXPECT_EQ(sum(), seconds(60));
}

TEST_F(ServerDelayTest, NothingIsCountedIfTheKernelNotedNoTime) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello");
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, AReadWithoutBytesIsAsIfItWereNotTimed) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
  connect(kOther);
  kernel_.expect_epoll_wait({{kOther, EPOLLERR}});
  kernel_.expect_recv_error(kOther, ECONNRESET);
  kernel_.expect_close(kOther);
  iterate();
  EXPECT_EQ(closed(CloseReason::reset), 1U);
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, AReplyThatCannotBeSentIsNotCounted) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, "hello").arrived_before(milliseconds(1));
  kernel_.expect_send_error(kFd, "hello", EPIPE);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, AReplyThatThePeerBlocksIsNotCounted) {
  connect(kFd);
  echo_blocked();
  kernel_.advance(seconds(3));
  send_the_rest();
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, BytesThatArrivedWhileAReplyWasBlockedAreNotCounted) {
  connect(kFd);
  echo_blocked();
  send_the_rest();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, kFull).arrived_before(seconds(3));
  kernel_.expect_send(kFd, kFull);
  kernel_.expect_recv(kFd, "hello").arrived_before(seconds(3));  // Empties the queue.
  kernel_.expect_send(kFd, "hello");
  iterate();
  EXPECT_EQ(samples(), 0U);
  echo(milliseconds(1));
  EXPECT_EQ(samples(), 1U);
  EXPECT_EQ(sum(), milliseconds(1));
}

TEST_F(ServerDelayTest, IfNoneArrivedTheNextBytesAreCounted) {
  connect(kFd);
  echo_blocked();
  send_the_rest();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  echo(milliseconds(1));
  EXPECT_EQ(samples(), 1U);
}

TEST_F(ServerDelayTest, AnotherConnectionIsMeasuredWhileOneIsBlocked) {
  connect(kFd);
  echo_blocked();
  connect(kOther);
  echo(milliseconds(2), kOther);
  EXPECT_EQ(samples(), 1U);
  EXPECT_EQ(sum(), milliseconds(2));
}

TEST_F(ServerDelayTest, AnEchoWithoutABufferIsMeasuredUntilItIsSent) {
  set_buffers(kBlockBytes, 0);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello").arrived_before(milliseconds(1));
  kernel_.expect_send(kFd, "hello").then([this] { kernel_.advance(milliseconds(2)); });
  kernel_.expect_discard(kFd, 5, 5);
  iterate();
  EXPECT_EQ(samples(), 1U);
  EXPECT_EQ(sum(), milliseconds(3));
}

TEST_F(ServerDelayTest, WithoutABufferBytesThatHadToWaitAreNotCounted) {
  set_buffers(kBlockBytes, 0);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello").arrived_before(milliseconds(1));
  kernel_.expect_send(kFd, "hello", 2);
  kernel_.expect_discard(kFd, 2, 2);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_modify(kFd, kReading);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "llo").arrived_before(seconds(3));
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_discard(kFd, 3, 3);
  iterate();
  EXPECT_EQ(samples(), 0U);
}

TEST_F(ServerDelayTest, ASplicedRoundHasNoTime) {
  EchoSettings settings = context_.settings;
  settings.splice = {.pipes = 1, .pipe_bytes = 64, .least_bytes = 8, .most_rounds_in_all = 1};
  context_.apply(settings);
  kernel_.set_unread(kFd, 1000);
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_recv(kFd, kFull).arrived_before(milliseconds(1));
  kernel_.expect_send(kFd, kFull);
  kernel_.expect_splice_in(kFd, kFull);
  kernel_.expect_splice_out(kFd);
  kernel_.expect_splice_in_error(kFd, EAGAIN);
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  EXPECT_EQ(count(Counter::splice_rounds), 1U);
  EXPECT_EQ(samples(), 1U) << "the copied round";
}

}  // namespace
}  // namespace echod::test
