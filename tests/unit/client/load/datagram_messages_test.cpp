// What of the datagrams of a socket needs no socket. datagram_flow_test.cpp tests the rest.
#include "client/load/datagram_messages.hpp"

#include <gtest/gtest.h>

#include <array>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using client::DatagramMessages;
using client::LoadError;
using std::chrono::milliseconds;

class DatagramMessagesTest : public LoadFixture {
 protected:
  // Sends the next `count` datagrams now. Returns their bytes.
  std::string send(std::uint32_t count = 1) {
    const auto bytes = messages_.fill_next(buffer_, count);
    messages_.on_sent(count, loop_.now());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  // The error of an answer that arrived `age` after now; empty if it is right.
  std::optional<LoadError> error_of(std::string_view answer, milliseconds age = milliseconds(0)) {
    const sys::TimePoint arrived = loop_.now() + age;
    const auto wrong =
        messages_.on_received(std::as_bytes(std::span(answer)),
                              {.result = sys::IoResult::of(static_cast<ssize_t>(answer.size())),
                               .arrived = arrived,
                               .read = arrived});
    return wrong ? std::optional(wrong->error) : std::nullopt;
  }

  std::array<std::byte, 1024> buffer_{};
  DatagramMessages messages_{context_, 0, true};
};

TEST_F(DatagramMessagesTest, AreSentInBurstsAsTheDepthAllows) {
  plan_.burst = 2;
  plan_.depth = 4;
  EXPECT_EQ(messages_.next_count(), 0U) << "not started";
  messages_.start();
  EXPECT_EQ(messages_.next_count(), 2U);
  EXPECT_EQ(send(2).size(), 2 * kBytes);
  const std::string second = send(2);
  EXPECT_EQ(messages_.next_count(), 0U);
  EXPECT_EQ(error_of(second.substr(0, kBytes)), std::nullopt);
  EXPECT_EQ(messages_.next_count(), 0U) << "a burst does not fit yet";
  EXPECT_EQ(error_of(second.substr(kBytes)), std::nullopt);
  EXPECT_EQ(messages_.next_count(), 2U);
  EXPECT_EQ(context_.tally.echoes, 2U);
}

TEST_F(DatagramMessagesTest, OfAnIdleSocketAreNeverSent) {
  DatagramMessages idle(context_, 1, false);
  idle.start();
  EXPECT_EQ(idle.next_count(), 0U);
}

TEST_F(DatagramMessagesTest, WrongAnswersAreToldApart) {
  const std::string sent = send();
  DatagramMessages other(context_, 1, true);
  const auto foreign = other.fill_next(buffer_, 1);
  EXPECT_EQ(error_of({reinterpret_cast<const char*>(foreign.data()), foreign.size()}),
            LoadError::crossed);
  const auto unsent = messages_.fill_next(buffer_, 1);
  EXPECT_EQ(error_of({reinterpret_cast<const char*>(unsent.data()), unsent.size()}),
            LoadError::unsolicited);
  EXPECT_EQ(error_of("GET /"), LoadError::corrupted);
  EXPECT_EQ(context_.in_flight, 1U);
  EXPECT_EQ(error_of(sent.substr(0, kBytes - 1)), LoadError::corrupted);
  EXPECT_EQ(context_.in_flight, 0U) << "it was an answer, although a wrong one";
}

TEST_F(DatagramMessagesTest, AnAnswerThatArrivedAfterTheTimeoutIsLate) {
  plan_.timeout = milliseconds(100);
  const std::string sent = send();
  EXPECT_EQ(error_of(sent, milliseconds(101)), std::nullopt);
  EXPECT_EQ(context_.tally.datagrams.lost, 1U);
  EXPECT_EQ(context_.tally.datagrams.late, 1U);
  EXPECT_EQ(context_.in_flight, 0U);
}

TEST_F(DatagramMessagesTest, ThatAreLostOrFailCountAsTheTimeout) {
  plan_.timeout = milliseconds(100);
  (void)send(3);
  messages_.lose_sent_by(loop_.now() - milliseconds(1));
  EXPECT_EQ(context_.tally.datagrams.lost, 0U);
  messages_.lose_sent_by(loop_.now());
  EXPECT_EQ(context_.tally.datagrams.lost, 3U);
  (void)send();
  messages_.fail_outstanding();
  EXPECT_EQ(context_.tally.datagrams.lost, 3U);
  EXPECT_EQ(context_.tally.latency.count(), 4U);
  EXPECT_EQ(context_.tally.latency.min(), milliseconds(100));
  EXPECT_EQ(messages_.outstanding(), 0U);
}

TEST_F(DatagramMessagesTest, ThatAreDueAreSentOneByOneOrGivenUp) {
  open_loop(10);
  messages_.start();
  for (int i = 0; i < 3; ++i) {
    messages_.add_due(loop_.now());
  }
  EXPECT_EQ(messages_.next_count(), 1U);
  (void)send();
  messages_.give_up_due();
  EXPECT_EQ(context_.unbegun, 1U);
  messages_.give_up_all_due();
  EXPECT_EQ(context_.unbegun, 0U);
  EXPECT_EQ(context_.tally.not_sent, 2U);
  EXPECT_EQ(messages_.next_count(), 0U);
}

}  // namespace
}  // namespace echod::test
