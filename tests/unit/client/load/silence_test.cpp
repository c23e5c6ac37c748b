#include "client/load/silence.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace echod::test {
namespace {

using client::Silence;
using std::chrono::milliseconds;

sys::TimePoint moment(int ms) {
  return sys::TimePoint(milliseconds(ms));
}

class SilenceTest : public testing::Test {
 protected:
  void lose(int count, int ms) {
    for (int i = 0; i < count; ++i) {
      silence_.on_lost(moment(ms));
    }
  }

  Silence silence_;
};

TEST_F(SilenceTest, LastsFromTheLastArrivalToTheLastLoss) {
  silence_.on_sent(moment(50));
  silence_.on_arrival(moment(100));
  lose(2, 300);
  lose(1, 400);
  EXPECT_EQ(silence_.longest(), milliseconds(300));
  silence_.on_arrival(moment(500));
  lose(3, 600);
  EXPECT_EQ(silence_.longest(), milliseconds(300)) << "the second is shorter";
}

TEST_F(SilenceTest, BeginsWithTheFirstDatagramIfNothingEverComes) {
  silence_.on_sent(moment(50));
  silence_.on_sent(moment(60));
  lose(3, 250);
  EXPECT_EQ(silence_.longest(), milliseconds(200));
}

TEST_F(SilenceTest, TwoLostDatagramsAreNoSilence) {
  silence_.on_sent(moment(0));
  lose(2, 1000);
  silence_.on_arrival(moment(1001));
  lose(2, 3000);
  EXPECT_EQ(silence_.longest(), milliseconds(0));
}

TEST_F(SilenceTest, AnEarlierArrivalThatIsReadLaterDoesNotLengthenIt) {
  silence_.on_arrival(moment(500));
  silence_.on_arrival(moment(100));
  lose(3, 600);
  EXPECT_EQ(silence_.longest(), milliseconds(100));
}

}  // namespace
}  // namespace echod::test
