#include "verdict.hpp"

#include <gtest/gtest.h>

#include "load_results.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

class VerdictTest : public testing::Test {
 protected:
  [[nodiscard]] Verdict verdict() const { return verdict_on(options_, result_); }
  void limit(const char* text, double percent, std::chrono::nanoseconds most) {
    options_.limits.push_back({.text = text, .percent = percent, .most = most});
  }
  void nothing_measured() {
    result_.tally = Tally();
    result_.tally.connected = 64;
  }

  Options options_ = test::good_options();
  LoadResult result_ = test::good_result();
};

TEST_F(VerdictTest, ARunWithoutErrorsPassesWithoutWarnings) {
  const Verdict good = verdict();
  EXPECT_TRUE(good.has_passed());
  EXPECT_EQ(good.failures, Lines());
  EXPECT_EQ(good.warnings, Lines());
  EXPECT_TRUE(good.limits.empty());
}

TEST_F(VerdictTest, AnErrorFailsUnlessItIsAllowed) {
  result_.tally.count(LoadError::reset, "");
  EXPECT_EQ(verdict().failures, Lines{"errors: 1, allowed are 0"});
  options_.max_errors = 1;
  EXPECT_TRUE(verdict().has_passed());
  result_.tally.count(LoadError::stalled, "");
  EXPECT_EQ(verdict().failures, Lines{"errors: 2, allowed are 1"});
}

TEST_F(VerdictTest, WrongBytesFailHoweverManyErrorsAreAllowed) {
  options_.max_errors = 1'000'000;
  result_.tally.count(LoadError::corrupted, "");
  EXPECT_EQ(verdict().failures, Lines{"wrong or missing bytes: 1"});
}

TEST_F(VerdictTest, WrongBytesAreNotCountedAmongTheErrorsThatAreAllowed) {
  options_.max_errors = 1;
  result_.tally.count(LoadError::reset, "");
  result_.tally.count(LoadError::truncated, "");
  EXPECT_EQ(verdict().failures, Lines{"wrong or missing bytes: 1"});
}

TEST_F(VerdictTest, ALimitIsMetUpToAndIncludingIt) {
  limit("p99=1ms", 99, milliseconds(1));
  limit("p99.96=8ms", 99.96, milliseconds(8));
  limit("max=8ms", 100, milliseconds(8));
  const Verdict good = verdict();
  // A bucket of the histogram is up to 1/1024 higher than what is in it.
  EXPECT_EQ(good.failures, Lines{"p99=1ms was missed: 1 ms"});
  ASSERT_EQ(good.limits.size(), 3U);
  EXPECT_FALSE(good.limits[0].is_met);
  EXPECT_TRUE(good.limits[1].is_met);
  EXPECT_TRUE(good.limits[2].is_met);
  EXPECT_EQ(good.limits[2].measured, milliseconds(8));
  EXPECT_EQ(good.limits[2].limit.text, "max=8ms");
}

TEST_F(VerdictTest, ALimitThatIsMissedFailsWithWhatWasMeasured) {
  limit("p50=2ms", 50, milliseconds(2));
  limit("max=7ms", 100, milliseconds(7));
  EXPECT_EQ(verdict().failures, Lines{"max=7ms was missed: 8 ms"});
}

TEST_F(VerdictTest, ALimitOnNothingIsMissed) {
  nothing_measured();
  result_.tally.echoes = 1;
  limit("p99=1s", 99, seconds(1));
  const Verdict bad = verdict();
  EXPECT_EQ(bad.failures, Lines{"p99=1s was missed: nothing was measured"});
  ASSERT_EQ(bad.limits.size(), 1U);
  EXPECT_FALSE(bad.limits[0].is_met);
}

TEST_F(VerdictTest, NothingComingBackFailsUnlessNothingWasAskedFor) {
  nothing_measured();
  EXPECT_EQ(verdict().failures, Lines{"nothing came back while it was measured"});
  result_.is_interrupted = true;
  EXPECT_EQ(verdict().failures, Lines{"interrupted before anything was measured"});
  result_.is_interrupted = false;
  options_.plan.active = 0;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, ALongMessageThatIsUnderWayIsSomethingThatCameBack) {
  nothing_measured();
  result_.tally.bytes_received = 1;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, AnErrorSaysMoreThanThatNothingCameBack) {
  nothing_measured();
  result_.tally.count(LoadError::refused, "");
  EXPECT_EQ(verdict().failures, Lines{"errors: 1, allowed are 0"});
}

// Warnings.

TEST_F(VerdictTest, ABusyThreadOfTheClientIsWarnedOf) {
  result_.thread_shares = {0.2, 0.95, 0.3};
  const Verdict busy = verdict();
  EXPECT_TRUE(busy.has_passed());
  ASSERT_EQ(busy.warnings.size(), 1U);
  EXPECT_EQ(busy.warnings[0],
            "the client was the limit: a thread of it was on a CPU, or waiting for one, for 95 % "
            "of the time; use more --threads, or more CPUs, to find the server's");
  result_.thread_shares = {0.94};
  EXPECT_EQ(verdict().warnings, Lines());
  result_.thread_shares = {};
  EXPECT_EQ(verdict().warnings, Lines());
}

TEST_F(VerdictTest, ARateThatWasNotReachedIsWarnedOf) {
  options_.plan.rate_per_s = 10'000;
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.rate_per_s = 10'100;  // 99.01 % of it.
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.rate_per_s = 10'200;
  EXPECT_EQ(verdict().warnings, Lines{"the rate was not reached: 10000 of 10200 per second"});
  options_.plan.messages = 100'000;  // After the last of them nothing is due.
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.messages.reset();
}

TEST_F(VerdictTest, AClientThatWasLateIsWarnedOf) {
  options_.plan.rate_per_s = 10'000;
  result_.tally.send_lag.record(std::chrono::microseconds(900), 1000);
  EXPECT_EQ(verdict().warnings, Lines());
  result_.tally.send_lag.record(std::chrono::microseconds(3000), 20);
  EXPECT_EQ(verdict().warnings, Lines{"the client was late: 3 ms (p99) of the latency is its own"});
  options_.plan.rate_per_s.reset();
  EXPECT_EQ(verdict().warnings, Lines());
}

TEST_F(VerdictTest, RatesAreOfTheWindow) {
  EXPECT_EQ(rate_of(result_), 10'000);
  EXPECT_EQ(per_second(5, result_), 0.5);
  result_.measured = seconds(0);
  EXPECT_EQ(rate_of(result_), 0);
  EXPECT_EQ(per_second(5, result_), 0);
}

}  // namespace
}  // namespace echod::client
