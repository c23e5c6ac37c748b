// The times that the real kernel notes for received bytes, on loopback.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <string_view>

#include "deadline.hpp"
#include "passed_listener.hpp"
#include "sys/clock.hpp"
#include "sys/listen_socket.hpp"
#include "sys/stream_socket.hpp"
#include "tcp_peer.hpp"

namespace echod::test {
namespace {

sys::WallTime wall_clock() {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}

// A client and the accepted socket of its connection.
class AcceptedConnection {
 public:
  explicit AcceptedConnection(sys::ListenSocket listener)
      : peer_("127.0.0.1", listener.address.port()), fd_(accepted_from(listener)) {
    // The kernel begins to note times soon after the first socket asks for them.
    wait_until("a time of arrival", [this] {
      peer_.send_all("x");
      await_bytes(1);
      return read().arrived.has_value();
    });
  }

  // Sends bytes and waits until they are in the receive queue. Returns the times before and after.
  std::array<sys::WallTime, 2> deliver(std::string_view bytes) {
    const std::size_t before = sys::unread_bytes(fd_.get()).count();
    const sys::WallTime start = wall_clock();
    peer_.send_all(bytes);
    await_bytes(before + bytes.size());
    return {start, wall_clock()};
  }
  sys::SocketRead read(std::size_t most = 64) {
    return sys::receive_with_time(fd_.get(), std::span(buffer_).first(most));
  }
  sys::SocketRead peek() { return sys::peek_with_time(fd_.get(), buffer_); }
  void finish() {
    peer_.half_close();
    pollfd end{.fd = fd_.get(), .events = POLLRDHUP, .revents = 0};
    EXPECT_EQ(poll(&end, 1, Deadline().left_ms()), 1);
  }

 private:
  static sys::UniqueFd accepted_from(const sys::ListenSocket& listener) {
    pollfd waiting{.fd = listener.fd.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&waiting, 1, Deadline().left_ms()), 1);
    return std::move(sys::accept(listener.fd.get()).fd);
  }
  void await_bytes(std::size_t count) const {
    wait_until("bytes", [&] { return sys::unread_bytes(fd_.get()).count() >= count; });
  }

  TcpPeer peer_;
  sys::UniqueFd fd_;
  std::array<std::byte, 64> buffer_{};
};

sys::ListenSocket new_listener() {
  return sys::open_listener(*SocketAddress::parse("127.0.0.1", 0), 1, false, {});
}

void expect_between(const std::array<sys::WallTime, 2>& times, const sys::SocketRead& read) {
  ASSERT_TRUE(read.arrived);
  EXPECT_GE(*read.arrived, times[0]);
  EXPECT_LE(*read.arrived, times[1]);
}

TEST(ArrivalTimeTest, AReadHasTheTimeOfItsBytes) {
  AcceptedConnection connection(new_listener());
  const auto times = connection.deliver("hello");
  const sys::SocketRead read = connection.read();
  EXPECT_EQ(read.result.count(), 5U);
  expect_between(times, read);
}

TEST(ArrivalTimeTest, SoHasAReadFromASocketOfAPassedListener) {
  const PassedListener passed;
  const int fd = fcntl(passed.fd(), F_DUPFD_CLOEXEC, 0);
  AcceptedConnection connection(sys::adopt_listener(sys::UniqueFd::adopt(fd), 1, {}));
  const auto times = connection.deliver("hello");
  expect_between(times, connection.read());
}

TEST(ArrivalTimeTest, OfTwoSegmentsTheNewerOneCounts) {
  AcceptedConnection connection(new_listener());
  (void)connection.deliver("older");
  const auto times = connection.deliver("newer");
  expect_between(times, connection.peek());
  const sys::SocketRead read = connection.read();
  EXPECT_EQ(read.result.count(), 10U);
  expect_between(times, read);
}

TEST(ArrivalTimeTest, ASegmentThatIsReadInPartsHasOneTime) {
  AcceptedConnection connection(new_listener());
  const auto times = connection.deliver("hello");
  expect_between(times, connection.read(2));
  const sys::SocketRead rest = connection.read();
  EXPECT_EQ(rest.result.count(), 3U);
  expect_between(times, rest);
}

TEST(ArrivalTimeTest, TheEndOfFileHasNoTime) {
  AcceptedConnection connection(new_listener());
  connection.finish();
  const sys::SocketRead end = connection.read();
  EXPECT_TRUE(end.result.ok());
  EXPECT_EQ(end.result.count(), 0U);
  EXPECT_FALSE(end.arrived);
}

}  // namespace
}  // namespace echod::test
