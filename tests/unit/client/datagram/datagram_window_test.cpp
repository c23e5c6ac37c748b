#include "client/datagram/datagram_window.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace echod::test {
namespace {

using client::DatagramTimes;
using client::DatagramWindow;
using std::chrono::milliseconds;
using Meaning = client::DatagramWindow::Meaning;

sys::TimePoint at(int ms) {
  return sys::TimePoint(milliseconds(ms));
}

class DatagramWindowTest : public testing::Test {
 protected:
  // Sends datagrams at 0 ms, 1 ms, ...
  void send(int count) {
    for (int i = 0; i < count; ++i) {
      const int now = static_cast<int>(window_.next());
      window_.add({.start = at(now), .sent = at(now)});
    }
  }
  [[nodiscard]] Meaning meaning_of(std::uint64_t number) {
    return window_.on_answer(number).meaning;
  }

  DatagramWindow window_;
};

TEST_F(DatagramWindowTest, AnAnswerHasTheTimesOfItsDatagram) {
  send(3);
  const DatagramWindow::Answer answer = window_.on_answer(1);
  EXPECT_EQ(answer.meaning, Meaning::answer);
  EXPECT_EQ(answer.times.start, at(1));
  EXPECT_EQ(answer.times.sent, at(1));
  EXPECT_EQ(window_.outstanding(), 2U);
}

TEST_F(DatagramWindowTest, AnAnswerThatComesAgainIsADuplicate) {
  send(3);
  EXPECT_EQ(meaning_of(0), Meaning::answer);
  EXPECT_EQ(meaning_of(0), Meaning::duplicate) << "it is forgotten";
  EXPECT_EQ(meaning_of(2), Meaning::answer);
  EXPECT_EQ(meaning_of(2), Meaning::duplicate) << "an older one is outstanding";
  EXPECT_EQ(window_.outstanding(), 1U);
}

TEST_F(DatagramWindowTest, AnAnswerAfterALaterOneIsReordered) {
  send(4);
  EXPECT_FALSE(window_.on_answer(0).is_reordered);
  EXPECT_FALSE(window_.on_answer(3).is_reordered);
  EXPECT_TRUE(window_.on_answer(1).is_reordered);
  EXPECT_TRUE(window_.on_answer(2).is_reordered);
  send(1);
  EXPECT_FALSE(window_.on_answer(4).is_reordered);
}

TEST_F(DatagramWindowTest, AnAnswerToADatagramThatWasGivenUpIsLateOnce) {
  send(3);
  EXPECT_EQ(meaning_of(1), Meaning::answer);
  ASSERT_TRUE(window_.give_up_sent_by(at(0)));
  EXPECT_EQ(meaning_of(0), Meaning::late);
  EXPECT_EQ(meaning_of(0), Meaning::duplicate);
  EXPECT_EQ(meaning_of(1), Meaning::duplicate);
}

TEST_F(DatagramWindowTest, OnlyOutstandingDatagramsOfThatAgeAreGivenUp) {
  EXPECT_FALSE(window_.give_up_sent_by(at(1000)));
  send(4);
  EXPECT_EQ(meaning_of(1), Meaning::answer);
  EXPECT_EQ(window_.give_up_sent_by(at(2))->sent, at(0));
  EXPECT_EQ(window_.give_up_sent_by(at(2))->sent, at(2));
  EXPECT_FALSE(window_.give_up_sent_by(at(2)));
  EXPECT_EQ(window_.outstanding(), 1U);
  EXPECT_EQ(window_.next(), 4U);
}

TEST_F(DatagramWindowTest, AnAnswerToWhatWasNotSentIsUnknown) {
  EXPECT_EQ(meaning_of(0), Meaning::unknown);
  send(1);
  EXPECT_EQ(meaning_of(1), Meaning::unknown);
  EXPECT_EQ(meaning_of(UINT64_MAX), Meaning::unknown);
  EXPECT_EQ(meaning_of(0), Meaning::answer);
}

TEST_F(DatagramWindowTest, AnAnswerToAForgottenDatagramIsLate) {
  constexpr int kMany = DatagramWindow::kRemembered + 1;
  send(kMany);
  while (window_.give_up_sent_by(at(kMany))) {
  }
  EXPECT_EQ(meaning_of(0), Meaning::late);
  EXPECT_EQ(meaning_of(0), Meaning::late) << "whether it came before is forgotten";
  EXPECT_EQ(meaning_of(1), Meaning::late);
  EXPECT_EQ(meaning_of(1), Meaning::duplicate);
  EXPECT_EQ(meaning_of(kMany - 1), Meaning::late);
}

}  // namespace
}  // namespace echod::test
