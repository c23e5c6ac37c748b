#include "client/report/verdict.hpp"

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
  EXPECT_EQ(verdict().failures, Lines{"errors: 1 (at most 0 allowed)"});
  options_.max_errors = 1;
  EXPECT_TRUE(verdict().has_passed());
  result_.tally.count(LoadError::stalled, "");
  EXPECT_EQ(verdict().failures, Lines{"errors: 2 (at most 1 allowed)"});
}

TEST_F(VerdictTest, ASilenceFailsAClosedLoopWhateverLossIsAllowed) {
  options_.plan.server = Endpoint::udp(*SocketAddress::parse("127.0.0.1", 2003));
  options_.plan.rate_per_s.reset();
  options_.plan.timeout = seconds(1);
  limit("loss=1%", 0, seconds(0));
  options_.limits.back().kind = Limit::Kind::loss;
  options_.limits.back().number = 1;
  result_.tally.datagrams = {.sent = 100'000, .lost = 64};
  result_.tally.silence = milliseconds(1500);
  EXPECT_EQ(verdict().failures, Lines());
  result_.tally.silence = milliseconds(2000);
  EXPECT_EQ(
      verdict().failures,
      Lines{"nothing came back for 2 s: a closed loop sends little in such a time, so few are "
            "lost"});
  options_.plan.rate_per_s = 10'000;
  EXPECT_EQ(verdict().failures, Lines()) << "an open loop goes on sending";
}

TEST_F(VerdictTest, TheKneeIsWhereTooLittleComesBackOrTheMedianRises) {
  test::add_steps(options_, result_);
  EXPECT_EQ(first_over_the_knee(result_), 1U);
  result_.steps[1].echoes = 49'499;  // 99 %, less one echo in flight.
  EXPECT_EQ(first_over_the_knee(result_), 2U);
  result_.steps[1].echoes = 49'498;
  EXPECT_EQ(first_over_the_knee(result_), 1U);
  result_.steps[1].echoes = 50'000;
  result_.steps[0].latency = Histogram();
  result_.steps[0].latency.record(std::chrono::microseconds(790), 25'000);
  EXPECT_EQ(first_over_the_knee(result_), 1U) << "more than ten times 0.79 ms";
  result_.steps[0].latency = Histogram();
  EXPECT_EQ(first_over_the_knee(result_), 2U) << "without latencies there is nothing to compare";
  result_.steps.clear();
  EXPECT_EQ(first_over_the_knee(result_), 0U);
}

TEST_F(VerdictTest, AStepIsMeasuredForItsTimeUnlessTheRunWasInterrupted) {
  test::add_steps(options_, result_);
  result_.measured = milliseconds(5500);
  EXPECT_EQ(time_of_step(0, options_, result_), seconds(5));
  EXPECT_EQ(time_of_step(1, options_, result_), milliseconds(500));
  result_.measured = milliseconds(4500);
  EXPECT_EQ(time_of_step(1, options_, result_), seconds(0));
}

// Uses the service time of the step that kept up. In the other step messages wait in the server.
TEST_F(VerdictTest, WarnsIfTheKneeComesFromTooFewConnections) {
  test::add_steps(options_, result_);
  EXPECT_EQ(verdict().warnings, Lines()) << "64 are enough for 10 000 per second of 1 ms each";
  options_.plan.connections = options_.plan.active = 10;
  EXPECT_EQ(verdict().warnings,
            Lines{"too few connections for 10 000 per second: each message kept a connection busy "
                  "for 1 ms; the messages behind it waited, and the wait is in the latency; give "
                  "--connections 12, or a larger --depth"});
  result_.steps[1].echoes = 50'000;
  EXPECT_EQ(verdict().warnings, Lines()) << "there is no knee";
}

TEST_F(VerdictTest, RandomArrivalsAreComparedWithTheMessagesDueInThisRun) {
  options_.plan.rate_per_s = 10'200;  // The run had 100 000 messages, 2 % fewer.
  EXPECT_EQ(verdict().warnings.size(), 1U);
  options_.plan.arrivals = Arrivals::poisson;
  EXPECT_EQ(verdict().warnings, Lines());
  result_.tally.echoes = 98'900;
  EXPECT_EQ(verdict().warnings, Lines{"the rate was not reached: 9 890 of 10 200 per second"});
}

TEST_F(VerdictTest, ConnectionsOpenAfterStartAtFailTheRun) {
  nothing_measured();
  result_.start_missed_by = milliseconds(1200);
  EXPECT_EQ(verdict().failures,
            Lines{"the connections were made 1.2 s after --start-at: give a later moment"});
  options_.plan.server = Endpoint::udp(*SocketAddress::parse("127.0.0.1", 2003));
  EXPECT_EQ(verdict().failures,
            Lines{"the sockets were opened 1.2 s after --start-at: give a later moment"});
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
  // A histogram bucket reports up to 1/1024 more than its values.
  EXPECT_EQ(good.failures, Lines{"p99=1ms was missed: 1 ms"});
  ASSERT_EQ(good.limits.size(), 3U);
  EXPECT_FALSE(good.limits[0].is_met);
  EXPECT_TRUE(good.limits[1].is_met);
  EXPECT_TRUE(good.limits[2].is_met);
  EXPECT_EQ(good.limits[2].measured, 8e6);
  EXPECT_EQ(good.limits[2].limit.text, "max=8ms");
}

TEST_F(VerdictTest, ALimitThatIsMissedFailsWithWhatWasMeasured) {
  limit("p50=2ms", 50, milliseconds(2));
  limit("max=7ms", 100, milliseconds(7));
  EXPECT_EQ(verdict().failures, Lines{"max=7ms was missed: 8 ms"});
}

TEST_F(VerdictTest, ALimitWithoutMeasurementsIsMissed) {
  nothing_measured();
  result_.tally.echoes = 1;
  limit("p99=1s", 99, seconds(1));
  const Verdict bad = verdict();
  EXPECT_EQ(bad.failures, Lines{"p99=1s needs 100 latencies; the run has 0"});
  ASSERT_EQ(bad.limits.size(), 1U);
  EXPECT_FALSE(bad.limits[0].is_met);
}

TEST_F(VerdictTest, APercentileNeedsSamples) {
  result_.tally.latency = Histogram();
  result_.tally.latency.record(milliseconds(1), 99);
  limit("p99=1s", 99, seconds(1));
  EXPECT_EQ(verdict().failures, Lines{"p99=1s needs 100 latencies; the run has 99"});
  EXPECT_FALSE(verdict().limits[0].measured);
  result_.tally.latency.record(milliseconds(1));
  EXPECT_TRUE(verdict().has_passed());
  options_.limits.clear();
  limit("p99.99=1s", 99.99, seconds(1));
  EXPECT_EQ(verdict().failures, Lines{"p99.99=1s needs 10 000 latencies; the run has 100"});
}

TEST_F(VerdictTest, ALimitOnTheRateIsMissedByFewerEchoes) {
  options_.limits = {{.text = "rate>=10k", .kind = Limit::Kind::rate, .number = 10'000}};
  EXPECT_TRUE(verdict().has_passed());
  EXPECT_EQ(verdict().limits[0].measured, 10'000);
  result_.tally.echoes = 99'998;
  EXPECT_EQ(verdict().failures, Lines{"rate>=10k was missed: 10 000"});
  result_.tally.echoes = 43'000;
  EXPECT_EQ(verdict().failures, Lines{"rate>=10k was missed: 4 300"});
}

TEST_F(VerdictTest, ALimitOnErrorsCountsThemAllAndReplacesTheNumberAllowed) {
  options_.max_errors = 0;
  options_.limits = {{.text = "errors<=1", .kind = Limit::Kind::errors, .number = 1}};
  result_.tally.count(LoadError::reset, "");
  EXPECT_TRUE(verdict().has_passed());
  result_.tally.count(LoadError::stalled, "");
  EXPECT_EQ(verdict().failures, Lines{"errors<=1 was missed: 2"});
}

TEST_F(VerdictTest, EveryLostDatagramFailsUnlessALimitAllowsSome) {
  result_.tally.datagrams.sent = 100'000;
  result_.tally.datagrams.lost = 100;
  EXPECT_EQ(verdict().failures,
            Lines{"lost datagrams: 100 of 100 000; --slo loss=1% would allow 1 %"});
  options_.limits = {{.text = "loss=0.1%", .kind = Limit::Kind::loss, .number = 0.1}};
  EXPECT_TRUE(verdict().has_passed());
  EXPECT_EQ(verdict().limits[0].measured, 0.1);
  result_.tally.datagrams.lost = 101;
  EXPECT_EQ(verdict().failures.size(), 1U);
  EXPECT_TRUE(verdict().failures.front().starts_with("loss=0.1% was missed: "));
}

TEST_F(VerdictTest, DuplicatedAnswersFailUnlessTheyAreAllowed) {
  result_.tally.datagrams.duplicated = 3;
  EXPECT_EQ(verdict().failures, Lines{"duplicated answers: 3 (at most 0 allowed)"});
  options_.max_errors = 3;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, LateAndReorderedAnswersPass) {
  result_.tally.datagrams.late = result_.tally.datagrams.reordered = 5;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, WarnsOfWhatThisHostDidToDatagrams) {
  result_.tally.datagrams.dropped_here = 5;
  EXPECT_EQ(verdict().warnings,
            Lines{"5 of the answers were lost by this host, because its receive buffers were full: "
                  "raise net.core.rmem_max, or use more --threads"});
  result_.tally.datagrams = {};
  result_.tally.datagrams.split_bursts = 7;
  EXPECT_EQ(verdict().warnings,
            Lines{"7 bursts were sent one by one, because the kernel refused a train"});
}

TEST_F(VerdictTest, NothingComingBackFailsUnlessAllConnectionsAreIdle) {
  nothing_measured();
  EXPECT_EQ(verdict().failures, Lines{"nothing came back during the measurement"});
  options_.plan.active = 0;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, ARunInterruptedBeforeAnythingWasMeasuredHasAWarningAndDoesNotFail) {
  nothing_measured();
  result_.is_interrupted = true;
  EXPECT_TRUE(verdict().has_passed());
  EXPECT_EQ(verdict().warnings, Lines{"interrupted before anything was measured"});
  result_.tally.count(LoadError::refused, "connection 3: refused: no server listens");
  EXPECT_EQ(verdict().failures, Lines{"errors: 1 (at most 0 allowed)"});
}

TEST_F(VerdictTest, PartOfALongMessageCountsAsComingBack) {
  nothing_measured();
  result_.tally.bytes_received = 1;
  EXPECT_TRUE(verdict().has_passed());
}

TEST_F(VerdictTest, AnErrorReplacesTheFailureThatNothingCameBack) {
  nothing_measured();
  result_.tally.count(LoadError::refused, "");
  EXPECT_EQ(verdict().failures, Lines{"errors: 1 (at most 0 allowed)"});
}

// Warnings.

TEST_F(VerdictTest, WarnsOfABusyClientThread) {
  result_.thread_shares = {0.2, 0.9, 0.3};
  const Verdict busy = verdict();
  EXPECT_TRUE(busy.has_passed());
  ASSERT_EQ(busy.warnings.size(), 1U);
  EXPECT_EQ(busy.warnings[0],
            "the client was the bottleneck: one thread was busy 90 % of the time; use more "
            "--threads, or more CPUs, to find the server's limit");
  options_.plan.rate_per_s = 10'000;
  EXPECT_EQ(verdict().warnings.size(), 1U) << "also when the rate was reached";
  options_.plan.rate_per_s.reset();
  result_.thread_shares = {0.89};
  EXPECT_EQ(verdict().warnings, Lines());
  result_.thread_shares = {};
  EXPECT_EQ(verdict().warnings, Lines());
}

TEST_F(VerdictTest, WarnsIfTheRateWasNotReached) {
  options_.plan.rate_per_s = 10'000;
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.rate_per_s = 10'100;  // 10 000 is 99.01 % of it.
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.rate_per_s = 10'200;
  EXPECT_EQ(verdict().warnings, Lines{"the rate was not reached: 10 000 of 10 200 per second"});
  options_.plan.messages = 100'000;  // Nothing is due after the last message.
  EXPECT_EQ(verdict().warnings, Lines());
  options_.plan.messages.reset();
}

TEST_F(VerdictTest, ALowRateMayLackOneEcho) {
  options_.plan.rate_per_s = 0.45;
  result_.tally.echoes = 4;
  EXPECT_EQ(verdict().warnings, Lines());
  result_.tally.echoes = 3;
  EXPECT_EQ(verdict().warnings, Lines{"the rate was not reached: 0.30 of 0.45 per second"});
}

TEST_F(VerdictTest, TooFewConnectionsForTheRateAreNotBlamedOnTheServer) {
  options_.plan.rate_per_s = 2000;
  result_.tally.echoes = 12'800;
  result_.tally.service.messages = 12'800;
  result_.tally.service.total = 12'800 * milliseconds(50);
  const Verdict few = verdict();
  ASSERT_EQ(few.warnings.size(), 2U);
  EXPECT_EQ(few.warnings[1],
            "too few connections for 2 000 per second: each message kept a connection busy for 50 "
            "ms; the messages behind it waited, and the wait is in the latency; give "
            "--connections 112, or a larger --depth");
  EXPECT_EQ(connections_needed(options_, result_), 112U);
  result_.thread_shares = {0.95};
  EXPECT_FALSE(verdict().warnings[1].starts_with("too few")) << "the client was too slow itself";
  options_.plan.depth = 2;
  EXPECT_EQ(connections_needed(options_, result_), std::nullopt);
  options_.plan.depth = 1;
  options_.plan.connections = options_.plan.active = 112;
  EXPECT_EQ(connections_needed(options_, result_), std::nullopt);
}

TEST_F(VerdictTest, WarnsIfTheClientWasLate) {
  options_.plan.rate_per_s = 10'000;
  result_.tally.send_lag.record(std::chrono::microseconds(100), 1000);
  EXPECT_EQ(verdict().warnings, Lines());
  result_.tally.send_lag.record(std::chrono::microseconds(200), 20);
  EXPECT_EQ(verdict().warnings,
            Lines{"the client was late: 200 us (p99) of the latency is its own"});
  options_.plan.rate_per_s.reset();
  EXPECT_EQ(verdict().warnings, Lines());
}

TEST_F(VerdictTest, RatesRelateToTheWindow) {
  EXPECT_EQ(rate_of(result_), 10'000);
  EXPECT_EQ(per_second(5, result_), 0.5);
  result_.measured = seconds(0);
  EXPECT_EQ(rate_of(result_), 0);
  EXPECT_EQ(per_second(5, result_), 0);
}

TEST_F(VerdictTest, AClosedLoopNeedsNoMoreConnections) {
  result_.tally.service = {.messages = 1, .total = seconds(1000)};
  EXPECT_EQ(connections_needed(options_, result_), std::nullopt);
}

}  // namespace
}  // namespace echod::client
