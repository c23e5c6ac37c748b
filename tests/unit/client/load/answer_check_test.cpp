#include "client/load/answer_check.hpp"

#include <gtest/gtest.h>

#include "client/stream/keyed_stream.hpp"

namespace echod::client {
namespace {

constexpr std::uint32_t kConnection = 3;
constexpr std::uint32_t kSize = 5000;

class AnswerCheckTest : public testing::Test {
 protected:
  AnswerCheckTest() {
    plan_.connections = kConnection + 1;
    counts_.begin();
  }
  static std::vector<std::byte> stream(std::uint64_t offset, std::size_t length) {
    std::vector<std::byte> bytes(length);
    KeyedStream(kConnection).fill(bytes, offset);
    return bytes;
  }

  LoadPlan plan_;
  MessageSizes sizes_{.smallest = kSize, .largest = kSize};
  MessageCounts counts_{sizes_, kConnection};
  AnswerCheck check_{plan_, counts_};
};

TEST_F(AnswerCheckTest, CountsTheBytesThatComeNext) {
  counts_.on_sent(100);
  counts_.on_received(10);
  EXPECT_EQ(check_.count_right(stream(10, 90)), 90U);
  EXPECT_EQ(check_.count_right(stream(10, 91)), 90U) << "byte 100 was not sent yet";
  std::vector<std::byte> wrong = stream(10, 90);
  wrong[5] ^= std::byte{1};
  EXPECT_EQ(check_.count_right(wrong), 5U);
}

TEST_F(AnswerCheckTest, HasEnoughEvidenceWhenEverythingOwedHasCome) {
  counts_.on_sent(100);
  EXPECT_FALSE(check_.has_enough());
  check_.keep_evidence(stream(50, 50));
  EXPECT_FALSE(check_.has_enough());
  check_.keep_evidence(stream(0, 50));
  EXPECT_TRUE(check_.has_enough());
}

TEST_F(AnswerCheckTest, KeepsABoundedAmountOfEvidence) {
  counts_.on_sent(kSize);
  check_.keep_evidence(stream(1, kEvidenceBytes - 1));
  EXPECT_FALSE(check_.has_enough());
  check_.keep_evidence(stream(0, 100));
  check_.keep_evidence(stream(0, 100));
  EXPECT_TRUE(check_.has_enough());
}

TEST_F(AnswerCheckTest, NamesTheFaultAndForgetsTheEvidence) {
  counts_.on_sent(100);
  check_.keep_evidence(stream(40, 60));
  const Fault fault = check_.take_fault();
  EXPECT_EQ(fault.error, LoadError::lost);
  EXPECT_EQ(fault.bytes, 40U);
  counts_.on_received(98);
  check_.keep_evidence(stream(98, 1));
  EXPECT_FALSE(check_.has_enough());
}

}  // namespace
}  // namespace echod::client
