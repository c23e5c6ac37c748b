#include "sys/stream_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

class StreamSocketTest : public testing::Test {
 protected:
  [[nodiscard]] sys::WallTime ago(std::chrono::nanoseconds age) const {
    return sys::WallTime(kernel_.now() - age);
  }

  std::array<std::byte, 8> room_{};
  ScriptedKernel kernel_;
};

TEST_F(StreamSocketTest, RetriesEveryInterruptedCall) {
  kernel_.expect_recv_error(kFd, EINTR);
  kernel_.expect_recv_error(kFd, EINTR);
  kernel_.expect_recv(kFd, "hello");
  EXPECT_EQ(sys::receive(kFd, room_).count(), 5U);
  kernel_.expect_peek_error(kFd, EINTR);
  kernel_.expect_peek(kFd, "hello");
  EXPECT_EQ(sys::peek(kFd, room_).count(), 5U);
  kernel_.expect_discard_error(kFd, EINTR);
  kernel_.expect_discard(kFd, 5, 5);
  EXPECT_EQ(sys::discard(kFd, std::span(room_).first(5)).count(), 5U);
  kernel_.expect_send_error(kFd, EINTR);
  kernel_.expect_send(kFd, "hello");
  EXPECT_EQ(sys::send(kFd, std::as_bytes(std::span(std::string_view("hello")))).count(), 5U);
}

TEST_F(StreamSocketTest, EagainMeansWouldBlock) {
  kernel_.expect_recv_error(kFd, EAGAIN);
  const sys::IoResult received = sys::receive(kFd, room_);
  EXPECT_TRUE(received.would_block());
  EXPECT_FALSE(received.ok());
  EXPECT_EQ(received.count(), 0U);
}

TEST_F(StreamSocketTest, EndOfFileIsACountOfZero) {
  kernel_.expect_recv_eof(kFd);
  const sys::IoResult received = sys::receive(kFd, room_);
  EXPECT_TRUE(received.ok());
  EXPECT_FALSE(received.would_block());
  EXPECT_EQ(received.count(), 0U);
  EXPECT_EQ(received.error(), 0);
}

TEST_F(StreamSocketTest, ErrorsHaveTheirErrno) {
  kernel_.expect_recv_error(kFd, ECONNRESET);
  EXPECT_EQ(sys::receive(kFd, room_).error(), ECONNRESET);
  kernel_.expect_send_error(kFd, EPIPE);
  EXPECT_EQ(sys::send(kFd, room_).error(), EPIPE);
  kernel_.expect_shutdown(kFd, SHUT_WR, ENOTCONN);
  EXPECT_EQ(sys::shut_write(kFd).error(), ENOTCONN);
}

TEST_F(StreamSocketTest, ATimedReadGivesTheBytesAndTheTimeOfTheirArrival) {
  constexpr std::chrono::nanoseconds kAge(1'500'000'001);
  kernel_.expect_recv_error(kFd, EINTR);
  kernel_.expect_recv(kFd, "hello").arrived_before(kAge);
  const sys::SocketRead read = sys::receive_with_time(kFd, room_);
  EXPECT_EQ(read.result.count(), 5U);
  EXPECT_EQ(read.arrived, ago(kAge));
  EXPECT_EQ(room_[4], std::byte{'o'});
  kernel_.expect_peek_error(kFd, EINTR);
  kernel_.expect_peek(kFd, "world").arrived_before(kAge);
  const sys::SocketRead peeked = sys::peek_with_time(kFd, room_);
  EXPECT_EQ(peeked.result.count(), 5U);
  EXPECT_EQ(peeked.arrived, ago(kAge));
  EXPECT_EQ(room_[4], std::byte{'d'});
}

TEST_F(StreamSocketTest, ATimedReadHasNoTimeIfTheKernelNotedNone) {
  kernel_.expect_recv(kFd, "hello");
  const sys::SocketRead read = sys::receive_with_time(kFd, room_);
  EXPECT_EQ(read.result.count(), 5U);
  EXPECT_EQ(read.arrived, std::nullopt);
}

TEST_F(StreamSocketTest, EndOfFileAndErrorsOfATimedReadHaveNoTime) {
  kernel_.expect_recv_eof(kFd).arrived_before(std::chrono::seconds(1));
  const sys::SocketRead end = sys::receive_with_time(kFd, room_);
  EXPECT_TRUE(end.result.ok());
  EXPECT_EQ(end.result.count(), 0U);
  EXPECT_EQ(end.arrived, std::nullopt);
  kernel_.expect_recv_error(kFd, EAGAIN);
  const sys::SocketRead nothing = sys::receive_with_time(kFd, room_);
  EXPECT_TRUE(nothing.result.would_block());
  EXPECT_EQ(nothing.arrived, std::nullopt);
  kernel_.expect_peek_error(kFd, ECONNRESET);
  const sys::SocketRead failed = sys::peek_with_time(kFd, room_);
  EXPECT_EQ(failed.result.error(), ECONNRESET);
  EXPECT_EQ(failed.arrived, std::nullopt);
}

TEST_F(StreamSocketTest, AReadOfAUnixSocketReportsControlData) {
  kernel_.expect_recv_error(kFd, EINTR);
  kernel_.expect_recv(kFd, "hello").passed_descriptors();
  const sys::SocketRead stopped = sys::receive_local(kFd, room_);
  EXPECT_EQ(stopped.result.count(), 5U);
  EXPECT_TRUE(stopped.had_control_data);
  kernel_.expect_peek(kFd, "hello");
  EXPECT_FALSE(sys::peek_local(kFd, room_).had_control_data);
  kernel_.expect_recv_error(kFd, EAGAIN);
  EXPECT_TRUE(sys::receive_local(kFd, room_).result.would_block());
}

TEST_F(StreamSocketTest, AKernelThatNotesNoTimesIsAccepted) {
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_TIMESTAMPNS, 1, ENOPROTOOPT);
  sys::stamp_arrivals(kFd);
}

TEST_F(StreamSocketTest, ReadsTheQueuesAndTheErrorOfASocket) {
  kernel_.set_unread(kFd, 11);
  kernel_.set_unacknowledged(kFd, 22);
  kernel_.set_socket_error(kFd, ETIMEDOUT);
  EXPECT_EQ(sys::unread_bytes(kFd).count(), 11U);
  EXPECT_EQ(sys::unacknowledged_bytes(kFd).count(), 22U);
  EXPECT_EQ(sys::take_error(kFd), ETIMEDOUT);
  EXPECT_EQ(sys::take_error(kFd), 0);
}

TEST(StreamSocketErrorTest, EachQueryFailsForABadDescriptor) {
  EXPECT_EQ(sys::unread_bytes(-1).error(), EBADF);
  EXPECT_EQ(sys::take_error(-1), EBADF);
}

}  // namespace
}  // namespace echod::test
