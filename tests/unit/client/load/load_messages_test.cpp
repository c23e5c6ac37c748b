// What of the messages of a connection needs no socket. load_connection_test.cpp and
// open_loop_test.cpp test the rest.
#include "client/load/load_messages.hpp"

#include <gtest/gtest.h>

#include "load_fixture.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;

class LoadMessagesTest : public LoadFixture {
 protected:
  [[nodiscard]] sys::StampedRead read_now() const {
    return {.result = sys::IoResult::of(0), .arrived = loop_.now(), .read = loop_.now()};
  }
};

TEST_F(LoadMessagesTest, BeginAfterTheStartAndAsManyAsTheDepthAllows) {
  plan_.depth = 2;
  client::LoadMessages messages(context_, 0, true);
  EXPECT_FALSE(messages.may_begin());
  messages.start();
  while (messages.may_begin()) {
    messages.begin(sys::MonotonicClock::now());
  }
  EXPECT_EQ(messages.counts().outstanding(), 2U);
  EXPECT_EQ(context_.in_flight, 2U);
}

TEST_F(LoadMessagesTest, OfAClosedLoopBeginUntilTheRunStops) {
  client::LoadMessages messages(context_, 0, true);
  messages.start();
  context_.is_stopping = true;
  EXPECT_FALSE(messages.may_begin());
  EXPECT_TRUE(messages.are_done());
}

TEST_F(LoadMessagesTest, ThatAreDueBeginWhileTheRunStops) {
  open_loop(10);
  client::LoadMessages messages(context_, 0, true);
  messages.start();
  EXPECT_FALSE(messages.may_begin());
  messages.add_due(loop_.now());
  context_.is_stopping = true;
  EXPECT_TRUE(messages.may_begin());
  EXPECT_FALSE(messages.are_done());
  messages.begin(sys::MonotonicClock::now());
  EXPECT_EQ(context_.unbegun, 0U);
  EXPECT_FALSE(messages.are_done());
}

TEST_F(LoadMessagesTest, GiveTheBytesThatWereNotSentYet) {
  client::LoadMessages messages(context_, 0, true);
  std::array<std::byte, 2 * kBytes> buffer{};
  EXPECT_TRUE(messages.fill_unsent(buffer).empty());
  messages.begin(sys::MonotonicClock::now());
  messages.on_sent(10);
  const auto bytes = messages.fill_unsent(buffer);
  EXPECT_EQ(bytes.size(), kBytes - 10);
  EXPECT_EQ(client::KeyedStream(0).count_matching(bytes, 10), bytes.size());
}

TEST_F(LoadMessagesTest, AreAnsweredWithTheirLastByte) {
  client::LoadMessages messages(context_, 0, true);
  messages.begin(sys::MonotonicClock::now());
  messages.on_sent(kBytes);
  EXPECT_EQ(messages.on_received(kBytes - 1, read_now()), 0U);
  EXPECT_EQ(messages.on_received(1, read_now()), 1U);
  EXPECT_EQ(context_.tally.echoes, 1U);
  EXPECT_EQ(context_.in_flight, 0U);
}

TEST_F(LoadMessagesTest, AreAnsweredAtTheEndOfFileInModeConnect) {
  plan_.mode = client::LoadMode::connect;
  client::LoadMessages messages(context_, 0, true);
  messages.begin(sys::MonotonicClock::now());
  messages.on_sent(kBytes);
  EXPECT_EQ(messages.on_received(kBytes, read_now()), 0U);
  EXPECT_EQ(context_.tally.first_byte.count(), 1U);
  EXPECT_EQ(context_.tally.echoes, 0U);
  messages.on_end_of_file(loop_.now());
  EXPECT_EQ(context_.tally.echoes, 1U);
}

TEST_F(LoadMessagesTest, ThatFailCountAsTheTimeout) {
  plan_.timeout = milliseconds(500);
  client::LoadMessages messages(context_, 0, true);
  messages.begin(sys::MonotonicClock::now());
  messages.fail_outstanding();
  EXPECT_EQ(context_.tally.latency.max(), milliseconds(500));
  EXPECT_EQ(context_.in_flight, 0U);
  EXPECT_EQ(messages.counts().missing_bytes(), 0U);
}

TEST_F(LoadMessagesTest, ThatAreGivenUpCountAsNotSent) {
  open_loop(10);
  client::LoadMessages messages(context_, 0, true);
  messages.add_due(loop_.now());
  messages.add_due(loop_.now());
  messages.give_up_unbegun();
  EXPECT_EQ(context_.tally.not_sent, 2U);
  EXPECT_EQ(context_.tally.latency.count(), 2U);
  EXPECT_EQ(context_.unbegun, 0U);
  EXPECT_FALSE(messages.has_unbegun());
}

}  // namespace
}  // namespace echod::test
