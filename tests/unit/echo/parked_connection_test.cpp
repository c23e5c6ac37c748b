// A parked connection, and the connection that is made of it again.
#include "echo/parked_connection.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "echo/buffer_pool.hpp"
#include "echo/connection_facts.hpp"
#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ParkedConnectionTest : public EchoFixture {
 protected:
  static constexpr int kNewFd = 90;

  // The same connection as another program would have it.
  ParkedConnection moved(ParkedConnection parked) {
    bytes_ = std::make_shared<std::string>(text_of(parked.owed));
    parked.owed = std::as_bytes(std::span(*bytes_));
    parked.own_memory = {};
    parked.fd = kNewFd;
    return parked;
  }
  void echo(int fd, const std::string& bytes) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN}});
    kernel_.expect_recv(fd, bytes);
    kernel_.expect_send(fd, bytes);
    iterate();
  }

  std::shared_ptr<std::string> bytes_;
};

TEST_F(ParkedConnectionTest, HasWhatTheConnectionHad) {
  Connection& connection = connect(kFd);
  echo(kFd, "hello");
  kernel_.advance(3s);
  const ParkedConnection parked = connection.park();
  EXPECT_EQ(parked.fd, kFd);
  EXPECT_EQ(parked.peer, peer_);
  EXPECT_EQ(parked.state, ParkedConnection::State::echoing);
  EXPECT_EQ(parked.bytes_received, 5U);
  EXPECT_EQ(parked.unacknowledged, UINT32_MAX);  // Not asked since the echo.
  EXPECT_TRUE(parked.owed.empty());
  EXPECT_LT(parked.pipe_read_end, 0);
  EXPECT_EQ(connection.facts().age, std::chrono::milliseconds(0)) << "its loop did not run since";
}

TEST_F(ParkedConnectionTest, ParkingMakesNoSystemCallAndChangesNothing) {
  Connection& connection = connect_owing(kFd);
  EXPECT_EQ(text_of(connection.park().owed), "llo");
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}});
  kernel_.expect_send(kFd, "llo");
  kernel_.expect_modify(kFd, kReading);
  iterate();
}

// The edge of a FIN that came before the registration is reported once, together with the data, so
// the first short read does not stand in for an empty queue.
TEST_F(ParkedConnectionTest, GoesOnEchoingAndReadsToTheEndOfTheQueueFirst) {
  const ParkedConnection parked = moved(connect(kFd).park());
  kernel_.expect_add(kNewFd, kReading);
  context_.resume(parked, nullptr);
  EXPECT_EQ(shared_.admission.connections(), 2U);
  EXPECT_EQ(context_.listener_counts.open(0), 1U);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLIN}});
  kernel_.expect_recv(kNewFd, "first");
  kernel_.expect_send(kNewFd, "first");
  kernel_.expect_recv_error(kNewFd, EAGAIN);
  iterate();
  echo(kNewFd, "later");
}

TEST_F(ParkedConnectionTest, SendsWhatItOwedAndThenReads) {
  const ParkedConnection parked = moved(connect_owing(kFd).park());
  EXPECT_EQ(parked.state, ParkedConnection::State::flushing);
  kernel_.expect_add(kNewFd, kWriting);
  context_.resume(parked, bytes_);
  EXPECT_EQ(bytes_.use_count(), 2) << "the connection keeps the bytes";
  EXPECT_EQ(context_.relay.buffered_bytes(), kBlockBytes + 3);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLOUT}});
  kernel_.expect_send(kNewFd, "llo", 1);
  iterate();
  kernel_.expect_epoll_wait({{kNewFd, EPOLLOUT}});
  kernel_.expect_send(kNewFd, "lo");
  kernel_.expect_modify(kNewFd, kReading);
  iterate();
  EXPECT_EQ(bytes_.use_count(), 1);
  EXPECT_EQ(context_.relay.buffered_bytes(), kBlockBytes);  // Of the parked one, which stays.
  EXPECT_EQ(kernel_.sent(kNewFd), "llo");
}

TEST_F(ParkedConnectionTest, IsParkedAgainWithWhatIsLeftOfTheSameBytes) {
  const ParkedConnection parked = moved(connect_owing(kFd).park());
  context_.resume(parked, bytes_);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLOUT}});
  kernel_.expect_send(kNewFd, "llo", 1);
  iterate();
  std::vector<std::string> owed;
  context_.table.visit(0, SIZE_MAX, [&owed](Connection& connection) {
    const ParkedConnection again = connection.park();
    owed.push_back(text_of(again.owed));
    EXPECT_EQ(again.own_memory.empty(), again.fd == kNewFd) << "carried bytes cannot be released";
  });
  EXPECT_EQ(owed, (std::vector<std::string>{"llo", "lo"}));
}

// Without reply buffers the owed bytes are in the receive queue.
TEST_F(ParkedConnectionTest, WithoutAReplyReadsAgainWhenItCanSend) {
  set_buffers(kBlockBytes, 0);
  Connection& connection = connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}});
  kernel_.expect_peek(kFd, "hello");
  kernel_.expect_send_error(kFd, "hello", EAGAIN);
  kernel_.expect_modify(kFd, kWriting);
  iterate();
  const ParkedConnection parked = moved(connection.park());
  kernel_.expect_add(kNewFd, kWriting);
  context_.resume(parked, nullptr);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLOUT}});
  kernel_.expect_modify(kNewFd, kReading);
  iterate();
}

TEST_F(ParkedConnectionTest, WaitsForTheAcknowledgementThatItWaitedFor) {
  Connection& connection = connect(kFd);
  kernel_.set_unacknowledged(kFd, 5);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}});
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_shutdown(kFd);
  iterate();
  const ParkedConnection parked = moved(connection.park());
  EXPECT_EQ(parked.state, ParkedConnection::State::delivering);
  kernel_.set_unacknowledged(kNewFd, 5);
  kernel_.expect_add(kNewFd, kReading);
  context_.resume(parked, nullptr);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLIN | EPOLLRDHUP}});
  iterate();
  EXPECT_EQ(closed_in_all(), 0U);
  kernel_.set_unacknowledged(kNewFd, 0);
  kernel_.expect_epoll_wait({{kNewFd, EPOLLIN | EPOLLRDHUP}});
  iterate();
  EXPECT_EQ(closed(CloseReason::peer_closed), 1U);
}

TEST_F(ParkedConnectionTest, ItsIdleTimeGoesOn) {
  context_.settings.timeouts = {.idle = 60s, .stalled_write = 0s, .linger = 2s, .drain = 30s};
  const ParkedConnection parked = moved(connect(kFd).park());
  pass(50s);
  context_.resume(parked, nullptr);
  pass(11s);
  context_.table.visit(0, SIZE_MAX, [](Connection& connection) {
    if (connection.park().fd == kNewFd) {
      EXPECT_EQ(connection.facts().age, 61s);
      connection.check_timeouts();
    }
  });
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
}

TEST_F(ParkedConnectionTest, IsClosedAndCountedIfItCannotBeRegistered) {
  const ParkedConnection parked = moved(connect(kFd).park());
  kernel_.expect_add(kNewFd, kReading, ENOSPC);
  context_.resume(parked, nullptr);
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  EXPECT_EQ(count(Counter::register_failures), 1U);
  EXPECT_EQ(shared_.admission.connections(), 1U);
  EXPECT_EQ(context_.listener_counts.open(0), 0U);
}

TEST_F(ParkedConnectionTest, IsResetIfItCannotBeRegisteredAndOwesBytes) {
  const ParkedConnection parked = moved(connect_owing(kFd).park());
  kernel_.expect_add(kNewFd, kWriting, ENOSPC);
  context_.resume(parked, bytes_);
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  EXPECT_EQ(kernel_.option_set(kNewFd, SOL_SOCKET, SO_LINGER), 1);
}

TEST_F(ParkedConnectionTest, IsClosedAndCountedWithoutMemoryForWhatItOwes) {
  const ParkedConnection parked = moved(connect_owing(kFd).park());
  const std::uint64_t total = context_.listener_counts.total(0);
  {
    const AllocationFailure no_memory(sizeof(RestoredBytes));
    context_.resume(parked, bytes_);
  }
  EXPECT_EQ(closed(CloseReason::io_error), 1U);
  EXPECT_EQ(context_.not_resumed, 1U);
  EXPECT_EQ(shared_.admission.connections(), 1U);
  EXPECT_EQ(context_.listener_counts.total(0), total + 1);
  EXPECT_EQ(context_.listener_counts.open(0), 0U);
}

TEST_F(ParkedConnectionTest, TheStatesOfAClosedConnectionAreNotParked) {
  Connection& connection = connect(kFd);
  connection.abort(CloseReason::forced);
  EXPECT_DEATH((void)connection.park(), "only a serving connection is parked");
}

}  // namespace
}  // namespace echod::test
