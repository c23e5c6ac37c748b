// Sending and receiving in a closed loop, without failures.
#include "client/load/load_connection.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::LoadContext;
using client::LoadMode;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class LoadConnectionTest : public LoadFixture {};

TEST_F(LoadConnectionTest, IsRegisteredOnceForAllEventsEdgeTriggered) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  kernel_.expect_add(kFd, kInterest);
  connection.open();
  kernel_.verify();
  EXPECT_EQ(context_.opening, 1U);
  EXPECT_EQ(context_.tally.connected, 0U);
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  iterate();
  EXPECT_EQ(context_.opening, 0U);
  EXPECT_EQ(context_.tally.connected, 1U);
  EXPECT_EQ(SocketAddress::from(kernel_.connected_to(kFd)), plan_.server);
  expect_idle();
}

TEST_F(LoadConnectionTest, ConnectTimesAreMeasuredBeforeTheWindowToo) {
  context_.window = {};
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  kernel_.advance(milliseconds(3));  // After the loop's wait ended.
  connection.open();
  kernel_.advance(milliseconds(2));
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  iterate();
  EXPECT_EQ(context_.tally.connect.count(), 1U);
  EXPECT_EQ(context_.tally.connect.max(), milliseconds(2));
}

// On loopback most of the handshake happens inside connect(2).
TEST_F(LoadConnectionTest, TheConnectTimeIncludesTheCallOfConnect) {
  const auto take_1_ms = [this] { kernel_.advance(milliseconds(1)); };
  client::LoadConnection& waiting = make();
  expect_connect(kFd, EINPROGRESS).then(take_1_ms);
  waiting.open();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  iterate();
  client::LoadConnection& open_at_once = make();
  expect_connect(kOther, 0).then(take_1_ms);
  open_at_once.open();
  EXPECT_EQ(context_.tally.connect.count(), 2U);
  EXPECT_EQ(context_.tally.connect.min(), milliseconds(1));
  EXPECT_EQ(context_.tally.connect.max(), milliseconds(1));
}

TEST_F(LoadConnectionTest, ReadsTcpStatisticsOnceWhenItCloses) {
  client::LoadConnection& connection = connect(kFd);
  tcp_info info{};
  info.tcpi_rtt = 250;
  info.tcpi_total_retrans = 3;
  kernel_.set_tcp_info(kFd, info);
  context_.is_stopping = true;
  kernel_.expect_shutdown(kFd);
  connection.stop();
  const std::size_t before = kernel_.count(Call::getsockopt);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(kernel_.count(Call::getsockopt), before + 1);
  EXPECT_EQ(context_.tally.retransmissions, 3U);
  EXPECT_EQ(context_.tally.round_trip.count(), 1U);
  EXPECT_EQ(context_.tally.round_trip.max(), microseconds(250));
}

TEST_F(LoadConnectionTest, IsOpenAtOnceIfConnectSucceeds) {
  client::LoadConnection& connection = make();
  kernel_.expect_socket(kFd);
  kernel_.expect_connect(kFd, 0);
  connection.open();
  EXPECT_EQ(context_.tally.connected, 1U);
  EXPECT_EQ(context_.opening, 0U);
}

TEST_F(LoadConnectionTest, BindsToTheSourcesInTurns) {
  plan_.sources = {*SocketAddress::parse("127.0.0.2", 0), *SocketAddress::parse("127.0.0.3", 0)};
  for (const int fd : {kFd, kOther}) {
    client::LoadConnection& connection = make();
    expect_connect(fd);
    connection.open();
  }
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kFd)).host(), "127.0.0.2");
  EXPECT_EQ(SocketAddress::from(kernel_.bound_to(kOther)).host(), "127.0.0.3");
}

TEST_F(LoadConnectionTest, SendsNothingUntilItIsStarted) {
  connect(kFd);
  expect_idle();
  EXPECT_EQ(kernel_.count(Call::send), 0U);
}

TEST_F(LoadConnectionTest, AnEchoIsOneRecvAndOneSendAndNothingElse) {
  connect_and_send(kFd);
  const std::size_t adds = kernel_.count(Call::epoll_add);
  constexpr std::uint64_t kEchoes = 10;
  for (std::uint64_t echo = 0; echo < kEchoes; ++echo) {
    kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLOUT}}, -1);
    expect_recv(kFd, echo * kBytes, kBytes);
    expect_send(kFd, (echo + 1) * kBytes, kBytes);
    iterate();
  }
  EXPECT_EQ(kernel_.count(Call::recv), kEchoes);
  EXPECT_EQ(kernel_.count(Call::send), kEchoes + 1);
  EXPECT_EQ(kernel_.count(Call::epoll_add), adds);
  EXPECT_EQ(kernel_.count(Call::epoll_modify), 0U);
  EXPECT_EQ(kernel_.count(Call::ioctl), 0U);
  EXPECT_EQ(context_.tally.echoes, kEchoes);
  EXPECT_EQ(context_.tally.bytes_received, kEchoes * kBytes);
  EXPECT_EQ(context_.tally.bytes_sent, (kEchoes + 1) * kBytes);
  EXPECT_EQ(context_.in_flight, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(LoadConnectionTest, EachConnectionSendsAStreamOfItsOwn) {
  plan_.connections = plan_.active = context_.active = 2;
  connect_and_send(kFd);
  connect_and_send(kOther);
  EXPECT_NE(kernel_.sent(kFd), kernel_.sent(kOther));
}

TEST_F(LoadConnectionTest, ADepthOfFourIsOneSendOfFourMessagesThenAsManyAsCameBack) {
  plan_.depth = 4;
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, 4 * kBytes);
  connection.start();
  EXPECT_EQ(context_.in_flight, 4U);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  expect_send(kFd, 4 * kBytes, kBytes);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, kBytes, 4 * kBytes);
  expect_send(kFd, 5 * kBytes, 4 * kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 5U);
  EXPECT_EQ(context_.in_flight, 4U);
}

TEST_F(LoadConnectionTest, AnAnswerInPiecesCountsWhenItIsWhole) {
  connect_and_send(kFd);
  for (const auto& [offset, length] : {std::pair{0U, 1U}, std::pair{1U, 62U}}) {
    kernel_.advance(milliseconds(1));
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, offset, length);
    iterate();
    EXPECT_EQ(context_.tally.echoes, 0U);
  }
  kernel_.advance(milliseconds(1));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 63, 1);
  expect_send(kFd, 64, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(3));
}

TEST_F(LoadConnectionTest, AnAnswerThatEndsWithinAnotherCountsForBoth) {
  plan_.depth = 2;
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, 2 * kBytes);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, 100);
  expect_send(kFd, 2 * kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 100, 28);
  expect_send(kFd, 3 * kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 2U);
}

TEST_F(LoadConnectionTest, LatencyCountsFromTheSendOfTheMessageItself) {
  plan_.depth = 2;
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, 2 * kBytes);
  connection.start();
  kernel_.advance(microseconds(100));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  expect_send(kFd, 2 * kBytes, kBytes);
  iterate();
  kernel_.advance(microseconds(50));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, kBytes, 2 * kBytes);
  expect_send(kFd, 3 * kBytes, 2 * kBytes);
  iterate();
  const client::Histogram& latency = context_.tally.latency;
  EXPECT_EQ(latency.count(), 3U);
  EXPECT_EQ(latency.min(), microseconds(50));
  EXPECT_EQ(latency.max(), microseconds(150));
  EXPECT_EQ(latency.count_up_to(microseconds(110)), 2U);
}

TEST_F(LoadConnectionTest, LatencyEndsWhenTheEchoArrivedAndNotWhenItWasRead) {
  connect_and_send(kFd);
  kernel_.advance(milliseconds(10));
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes).arrived_before(milliseconds(7));
  expect_send(kFd, kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(3));
  EXPECT_EQ(context_.tally.receive_lag.max(), milliseconds(7));
  EXPECT_EQ(context_.tally.receive_lag.count(), 1U);
}

TEST_F(LoadConnectionTest, AnImpossibleArrivalTimeIsReplacedByTheTimeOfTheRead) {
  connect_and_send(kFd);
  std::uint64_t message = 0;
  for (const auto age : {milliseconds(-1), milliseconds(60'001)}) {
    kernel_.advance(milliseconds(10));
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, message * kBytes, kBytes).arrived_before(age);
    ++message;
    expect_send(kFd, message * kBytes, kBytes);
    iterate();
  }
  EXPECT_EQ(context_.tally.latency.min(), milliseconds(10));
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(10));
  EXPECT_EQ(context_.tally.receive_lag.max(), milliseconds(0));
}

TEST_F(LoadConnectionTest, OnlyTheWindowIsMeasured) {
  client::LoadConnection& connection = connect(kFd);
  const sys::TimePoint now = loop_.now();
  context_.window = {.begin = now + milliseconds(10), .end = now + milliseconds(20)};
  expect_send(kFd, 0, kBytes);
  connection.start();
  for (std::uint64_t echo = 0; echo < 5; ++echo) {  // Answered at 6, 12, 18, 24, 30 ms.
    kernel_.advance(milliseconds(6));
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, echo * kBytes, kBytes);
    expect_send(kFd, (echo + 1) * kBytes, kBytes);
    iterate();
  }
  EXPECT_EQ(context_.tally.echoes, 2U) << "those that came back at 12 and 18 ms";
  EXPECT_EQ(context_.tally.bytes_received, 2 * kBytes);
  EXPECT_EQ(context_.tally.bytes_sent, 2 * kBytes);
  EXPECT_EQ(context_.tally.latency.count(), 2U) << "those sent at 12 and 18 ms";
}

TEST_F(LoadConnectionTest, AStreamMeasuresBytesAndNoLatency) {
  plan_.mode = LoadMode::stream;
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kBytes);
  expect_send(kFd, kBytes, kBytes);
  iterate();
  EXPECT_EQ(context_.tally.bytes_received, kBytes);
  EXPECT_EQ(context_.tally.latency.count(), 0U);
}

TEST_F(LoadConnectionTest, SizesOfARangeFollowOneAnother) {
  plan_.sizes = {.smallest = 1, .largest = 1000};
  client::LoadConnection& connection = connect(kFd);
  std::uint64_t offset = 0;
  expect_send(kFd, 0, plan_.sizes.size_of(0, 0));
  connection.start();
  for (std::uint64_t message = 0; message < 20; ++message) {
    const std::uint32_t size = plan_.sizes.size_of(0, message);
    kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
    expect_recv(kFd, offset, size);
    offset += size;
    expect_send(kFd, offset, plan_.sizes.size_of(0, message + 1));
    iterate();
  }
  EXPECT_EQ(context_.tally.echoes, 20U);
}

TEST_F(LoadConnectionTest, UnsentBytesAreSentWhenTheSocketIsWritable) {
  client::LoadConnection& connection = connect(kFd);
  expect_short_send(kFd, 0, kBytes, 10);
  connection.start();
  expect_idle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, 10);
  iterate();  // Sends nothing, because there was no OUT.
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  expect_short_send(kFd, 10, kBytes - 10, 20);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  kernel_.expect_send_error(kFd, stream(kFd, 30, kBytes - 30), EAGAIN);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLOUT}}, -1);
  expect_send(kFd, 30, kBytes - 30);
  iterate();
  expect_idle();
  EXPECT_EQ(kernel_.count(Call::epoll_modify), 0U);
  EXPECT_EQ(context_.in_flight, 1U);
}

TEST_F(LoadConnectionTest, ALongMessageIsSentAndReadInBoundedTurns) {
  constexpr std::size_t kTurn = LoadContext::kTurnBytes;
  constexpr std::size_t kCall = LoadContext::kCallBytes;
  constexpr std::uint32_t kLong = 2 * kTurn + 100;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  client::LoadConnection& connection = connect(kFd);
  for (std::size_t offset = 0; offset < kTurn; offset += kCall) {
    expect_send(kFd, offset, kCall);
  }
  connection.start();
  kernel_.verify();
  // The rest is sent without an event: the send was complete, so no OUT will come.
  kernel_.expect_epoll_wait({}, 0);
  for (std::size_t offset = kTurn; offset < 2 * kTurn; offset += kCall) {
    expect_send(kFd, offset, kCall);
  }
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  expect_send(kFd, 2 * kTurn, 100);
  iterate();
  expect_idle();
  // The answer is read in the same way.
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  for (std::size_t offset = 0; offset < kTurn; offset += kCall) {
    expect_recv(kFd, offset, kCall);
  }
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  for (std::size_t offset = kTurn; offset < 2 * kTurn; offset += kCall) {
    expect_recv(kFd, offset, kCall);
  }
  iterate();
  kernel_.expect_epoll_wait({}, 0);
  context_.is_stopping = true;
  connection.stop();
  expect_recv(kFd, 2 * kTurn, 100);
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.in_flight, 0U);
  expect_idle();
}

TEST_F(LoadConnectionTest, ALongMessageThatIsDueIsSentWholeToo) {
  constexpr std::uint32_t kLong = LoadContext::kTurnBytes + 5;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  open_loop(10);
  client::LoadConnection& connection = connect(kFd);
  connection.start();
  for (int i = 0; i < 4; ++i) {
    kernel_.expect_send_any(kFd);
  }
  message_due(connection);
  kernel_.expect_epoll_wait({}, 0);
  expect_send(kFd, kLong - 5, 5);
  iterate();
  expect_idle();
}

TEST_F(LoadConnectionTest, AFullReadIsFollowedByAnotherUntilEagain) {
  constexpr std::uint32_t kLong = LoadContext::kCallBytes;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, kLong);
  connection.start();
  context_.is_stopping = true;
  connection.stop();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 0, kLong);
  kernel_.expect_recv_error(kFd, EAGAIN);
  kernel_.expect_shutdown(kFd);
  iterate();
  expect_idle();
}

TEST_F(LoadConnectionTest, AnEdgeWithoutDataCostsOneRecv) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv_error(kFd, EAGAIN);
  iterate();
  expect_idle();
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(LoadConnectionTest, StoppedDuringALongMessageItSendsAndReadsTheRest) {
  client::LoadConnection& connection = connect(kFd);
  expect_short_send(kFd, 0, kBytes, 10);
  connection.start();
  context_.is_stopping = true;
  connection.stop();
  EXPECT_EQ(context_.in_flight, 1U);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLOUT}}, -1);
  expect_recv(kFd, 0, 10);
  expect_send(kFd, 10, kBytes - 10);
  iterate();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  expect_recv(kFd, 10, kBytes - 10);
  kernel_.expect_shutdown(kFd);
  iterate();
  EXPECT_EQ(context_.in_flight, 0U);
  EXPECT_EQ(context_.half_closed, 1U);
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.tally.not_sent, 0U);
  expect_idle();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP | EPOLLHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  expect_nothing_left();
}

TEST_F(LoadConnectionTest, ASurplusByteAtTheEndIsUnsolicited) {
  client::LoadConnection& connection = connect(kFd);
  context_.is_stopping = true;
  kernel_.expect_shutdown(kFd);
  connection.stop();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv(kFd, "x");
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(errors(client::LoadError::unsolicited), 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionTest, AServerThatDoesNotCloseAtTheEndIsAnError) {
  plan_.timeout = std::chrono::seconds(5);
  client::LoadConnection& connection = connect(kFd);
  context_.is_stopping = true;
  kernel_.expect_shutdown(kFd);
  connection.stop();
  iterate_and_sweep(std::chrono::seconds(5));
  EXPECT_EQ(only_error(), "connection 0: no end of file after our half-close");
  expect_nothing_left();
}

TEST_F(LoadConnectionTest, StoppedWhileItConnectsItClosesWithoutAnError) {
  client::LoadConnection& connection = make();
  expect_connect(kFd);
  connection.open();
  kernel_.expect_close(kFd);
  context_.is_stopping = true;
  connection.stop();
  expect_nothing_left();
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

TEST_F(LoadConnectionTest, AnIdleConnectionIsNotTimedOut) {
  connect(kFd);
  iterate_and_sweep(seconds(3600));
  EXPECT_EQ(context_.tally.connected, 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
}

}  // namespace
}  // namespace echod::test
