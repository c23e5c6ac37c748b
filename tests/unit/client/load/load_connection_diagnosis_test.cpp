// After wrong bytes, a connection waits for enough bytes to name the fault.
#include <gtest/gtest.h>

#include <algorithm>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::LoadContext;
using client::LoadError;
using std::chrono::milliseconds;

class LoadConnectionDiagnosisTest : public LoadFixture {
 protected:
  // Bytes that no stream contains.
  [[nodiscard]] std::string wrong(int fd, std::uint64_t offset, std::size_t length) const {
    std::string bytes = stream(fd, offset, length);
    // The flips all differ: equal ones could give bytes of another stream.
    for (std::size_t i = 0; i < length; ++i) {
      bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(1 + i * 37 % 251));
    }
    return bytes;
  }
  // Wrong bytes have arrived, and more bytes are owed.
  client::LoadConnection& connect_diagnosing(int fd) {
    client::LoadConnection& connection = connect_and_send(fd);
    kernel_.expect_epoll_wait({{fd, EPOLLIN}}, -1);
    kernel_.expect_recv(fd, wrong(fd, 0, 20));
    iterate();
    EXPECT_EQ(context_.diagnosing, 1U);
    EXPECT_EQ(context_.tally.errors_in_all(), 0U);
    return connection;
  }
};

TEST_F(LoadConnectionDiagnosisTest, IsOverAtOnceWhenEverythingOwedHasCome) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, stream(kFd, 0, 30) + wrong(kFd, 30, 1) + stream(kFd, 31, 33));
  kernel_.expect_setsockopt(kFd, SOL_SOCKET, SO_LINGER, 1);
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::corrupted), 1U);
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 30: 1 byte corrupted (expected "));
  EXPECT_EQ(context_.tally.echoes, 0U);
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, TakesEvidenceFromTwoReads) {
  connect_diagnosing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, wrong(kFd, 20, kBytes - 20));
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 0: 64 bytes corrupted"));
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, EndsAfterTwoHundredMillisecondsWithoutMore) {
  connect_diagnosing(kFd);
  iterate_and_sweep(milliseconds(199));
  EXPECT_EQ(context_.tally.errors_in_all(), 0U);
  iterate_and_sweep(milliseconds(1));
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 0: 20 bytes corrupted"));
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, EndsWithTheConnection) {
  connect_diagnosing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLRDHUP}}, -1);
  kernel_.expect_recv_eof(kFd);
  iterate();
  EXPECT_EQ(errors(LoadError::corrupted), 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, AResetDoesNotHideTheWrongBytesBeforeIt) {
  connect_diagnosing(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN | EPOLLERR | EPOLLHUP}}, -1);
  kernel_.expect_recv_error(kFd, ECONNRESET);
  iterate();
  EXPECT_EQ(errors(LoadError::corrupted), 1U);
  EXPECT_EQ(errors(LoadError::reset), 0U);
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, AbandoningItDoesNotHideThemEither) {
  client::LoadConnection& connection = connect_diagnosing(kFd);
  connection.stop();
  connection.abandon();
  EXPECT_EQ(errors(LoadError::corrupted), 1U);
  EXPECT_EQ(context_.tally.errors_in_all(), 1U);
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, NothingIsSentMeanwhileAndTheLoopDoesNotSpin) {
  constexpr std::uint32_t kLong = LoadContext::kTurnBytes + 1000;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  client::LoadConnection& connection = connect(kFd);
  for (int i = 0; i < 4; ++i) {
    kernel_.expect_send_any(kFd);
  }
  connection.start();  // Leaves 1000 bytes for the next turn.
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, 0);
  kernel_.expect_recv(kFd, wrong(kFd, 0, 20));
  iterate();
  EXPECT_EQ(context_.diagnosing, 1U);
  expect_idle();
}

TEST_F(LoadConnectionDiagnosisTest, WhatWasRightBeforeTheWrongByteCounts) {
  plan_.depth = 2;
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, 2 * kBytes);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, stream(kFd, 0, kBytes) + wrong(kFd, kBytes, kBytes));
  iterate();
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 64: "));
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, WaitsForAtMostFourKibibytes) {
  constexpr std::uint32_t kLong = 20'000;
  plan_.sizes = {.smallest = kLong, .largest = kLong};
  client::LoadConnection& connection = connect(kFd);
  expect_send(kFd, 0, kLong);
  connection.start();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, wrong(kFd, 0, 10'000));
  kernel_.expect_close(kFd);
  iterate();
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 0: 4096 bytes corrupted"));
}

TEST_F(LoadConnectionDiagnosisTest, BytesBeforeAnythingWasSentAreUnsolicited) {
  connect(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, "220 welcome\r\n");
  iterate();
  iterate_and_sweep(milliseconds(200));
  EXPECT_EQ(errors(LoadError::unsolicited), 1U);
  EXPECT_EQ(only_error(), "connection 0, offset 0: 13 bytes more than were sent (got 0x32)");
  expect_nothing_left();
}

TEST_F(LoadConnectionDiagnosisTest, AnAnswerThatComesTwiceIsDuplicated) {
  connect_and_send(kFd);
  connections_.front().stop();
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, stream(kFd, 0, kBytes) + stream(kFd, 0, kBytes));
  iterate();
  iterate_and_sweep(milliseconds(200));
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(errors(LoadError::duplicated), 1U);
  EXPECT_EQ(only_error().substr(0, 68),
            "connection 0, offset 64: bytes from 64 bytes earlier arrived again (");
}

TEST_F(LoadConnectionDiagnosisTest, MissingBytesAreLost) {
  connect_and_send(kFd);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, stream(kFd, 0, 10) + stream(kFd, 15, kBytes - 15));
  iterate();
  iterate_and_sweep(milliseconds(200));
  EXPECT_EQ(errors(LoadError::lost), 1U);
  EXPECT_TRUE(only_error().starts_with("connection 0, offset 10: 5 bytes lost ("));
}

TEST_F(LoadConnectionDiagnosisTest, AnswersSwappedBetweenConnectionsAreCrossed) {
  plan_.connections = plan_.active = context_.active = 2;
  connect_and_send(kFd);
  connect_and_send(kOther);
  kernel_.expect_epoll_wait({{kFd, EPOLLIN}, {kOther, EPOLLIN}}, -1);
  kernel_.expect_recv(kFd, stream(kOther, 0, kBytes));
  kernel_.expect_recv(kOther, stream(kFd, 0, kBytes));
  iterate();
  EXPECT_EQ(errors(LoadError::crossed), 2U);
  ASSERT_EQ(context_.tally.details.size(), 2U);
  EXPECT_TRUE(context_.tally.details[0].text.starts_with(
      "connection 0, offset 0: bytes of connection 1, offset 0 ("));
  EXPECT_TRUE(context_.tally.details[1].text.starts_with(
      "connection 1, offset 0: bytes of connection 0, offset 0 ("));
  expect_nothing_left();
}

}  // namespace
}  // namespace echod::test
