#include "client/report/summary.hpp"

#include <gtest/gtest.h>

#include "load_results.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SummaryTest : public testing::Test {
 protected:
  [[nodiscard]] std::string text() const {
    return summary(options_, result_, environment_, verdict_on(options_, result_));
  }
  [[nodiscard]] bool says(const std::string& part) const {
    return text().find(part) != std::string::npos;
  }

  Options options_ = test::good_options();
  LoadResult result_ = test::good_result();
  Environment environment_ = test::some_environment();
};

TEST_F(SummaryTest, TheSummaryOfAGoodRun) {
  result_.server = test::server_usage();
  options_.plan.server_pid = 17;
  EXPECT_EQ(text(),
            "echoload 1.2.3: echo, 64 connections, 64 bytes, depth 1, closed loop, 1 thread, to "
            "192.0.2.9:2003\n"
            "\n"
            "  measured     10.00 s\n"
            "  connections  64 of 64\n"
            "  echoes       100 000, 10 000 per second\n"
            "  bytes        6.1 MiB sent, 0.6 MB/s; 6.1 MiB received, 0.6 MB/s\n"
            "  latency      p50 1 ms   p90 1 ms   p99 1 ms   p99.9 1 ms   p99.99 8 "
            "ms   max 8 ms\n"
            "  errors       none\n"
            "  client       1 thread, 30 % of a CPU, the busiest thread 40 % of its time\n"
            "  server       0.50 s user, 1.50 s system (20 % of a CPU), 20.00 us per echo\n"
            "               5 MiB resident, 1 234 voluntary and 56 involuntary context switches\n"
            "  limits       20 000 open files, local ports 32768 to 60999 (28 232 for each source "
            "address)\n"
            "\n"
            "passed: every byte came back as it was sent\n");
}

TEST_F(SummaryTest, DatagramsHaveALineOfTheirOwn) {
  options_.plan.server = client::Endpoint::udp(options_.plan.server.address());
  result_.tally.datagrams = {.sent = 100'000,
                             .lost = 12,
                             .late = 2,
                             .duplicated = 0,
                             .reordered = 7,
                             .dropped_here = 0,
                             .split_bursts = 0};
  options_.limits = {{.text = "loss=1%", .kind = client::Limit::Kind::loss, .number = 1}};
  EXPECT_TRUE(says("\n  sockets      64 of 64\n")) << text();
  EXPECT_TRUE(
      says("\n  datagrams    100 000 sent, 12 lost (0.012 %), 2 late, 0 duplicated, 7 "
           "reordered\n"))
      << text();
  EXPECT_TRUE(
      text().ends_with("\npassed: all datagrams that came back are right; 12 lost (0.012 %)\n"))
      << text();
}

TEST_F(SummaryTest, TheLastLineSaysWhatDidNotComeBackAsItWasSent) {
  options_.plan.server = client::Endpoint::udp(options_.plan.server.address());
  options_.max_errors = 5;
  result_.tally.datagrams = {.sent = 100'000, .duplicated = 3};
  EXPECT_TRUE(text().ends_with("\npassed: all datagrams that came back are right; 3 duplicated\n"))
      << text();
  options_.limits = {{.text = "loss=1%", .kind = client::Limit::Kind::loss, .number = 1}};
  result_.tally.datagrams.lost = 12;
  result_.tally.count(LoadError::refused, "");
  EXPECT_TRUE(text().ends_with("; 12 lost (0.012 %); 3 duplicated; errors: 1\n")) << text();
}

TEST_F(SummaryTest, AUnixSocketHasNoLocalPorts) {
  options_.plan.server = client::Endpoint::at_path("/run/echo.sock");
  EXPECT_TRUE(says(", to unix:/run/echo.sock\n")) << text();
  EXPECT_TRUE(says("\n  limits       20 000 open files\n")) << text();
}

TEST_F(SummaryTest, AnOpenLoopSaysTheRateAskedForAndTheSendLag) {
  options_.plan.rate_per_s = 20'000;
  result_.tally.send_lag.record(std::chrono::microseconds(2), 10);
  result_.tally.not_sent = 1;
  EXPECT_TRUE(says("  echoes       100 000, 10 000 per second of 20 000 asked for\n"));
  EXPECT_TRUE(says("  send lag     p50 2 us   p90 2 us   max 2 us\n"))
      << "ten samples are too few for more";
  EXPECT_TRUE(says("  not sent     1 message due; in the latency as the timeout, or longer\n"));
  EXPECT_TRUE(says("warning: the rate was not reached: 10 000 of 20 000 per second\n"));
}

TEST_F(SummaryTest, SaysTheReceiveLag) {
  result_.tally.receive_lag.record(milliseconds(6), 2);
  EXPECT_TRUE(says("  receive lag  p50 6 ms   max 6 ms\n"));
}

TEST_F(SummaryTest, SaysConnectTimesAndTcpStatistics) {
  EXPECT_FALSE(says("  connect  ") || says("  first byte  ") || says("  tcp  "));
  result_.tally.connect.record(milliseconds(1), 2);
  result_.tally.first_byte.record(milliseconds(2), 2);
  result_.tally.round_trip.record(milliseconds(3), 2);
  result_.tally.retransmissions = 1;
  EXPECT_TRUE(
      says("  connect      p50 1 ms   max 1 ms\n"
           "  first byte   p50 2 ms   max 2 ms\n"
           "  tcp          1 retransmission; round trip p50 3 ms   max 3 ms\n"));
}

TEST_F(SummaryTest, StepsAreATableOfLatencyByRateAndTheKnee) {
  EXPECT_FALSE(says("  steps  ") || says("  knee  "));
  test::add_steps(options_, result_);
  result_.steps[1].latency = Histogram();
  result_.steps[1].latency.record(milliseconds(8), 50);
  result_.steps[1].echoes = 40;
  EXPECT_TRUE(says("open loop at 5 000 to 10 000/s in 2 steps of 5 s, 1 thread"));
  EXPECT_TRUE(says("  echoes       100 000, 10 000 per second\n"));
  EXPECT_TRUE(
      says("  steps            rate/s  echoes/s       p50       p90       p99     p99.9    p99.99"
           "       max\n"
           "                    5 000     5 000      1 ms      1 ms      1 ms      1 ms      1 ms"
           "      1 ms\n"
           "                   10 000         8      8 ms      8 ms         -         -         -"
           "      8 ms\n"
           "  knee         5 000/s: the step of 10 000/s did not keep up\n"))
      << text();
  result_.steps[0].echoes = 0;
  EXPECT_TRUE(says("  knee         below 5 000/s: no step kept up\n"));
  result_.steps[0].echoes = 25'000;
  result_.steps[1].echoes = 50;
  EXPECT_TRUE(says("  knee         above 10 000/s: every step kept up\n"));
}

TEST_F(SummaryTest, LostConnectionsAreCountedWithTheirOutage) {
  result_.tally.lost = 3;
  EXPECT_TRUE(says("  lost         3 connections, 0 of them back\n"));
  result_.tally.outage.record(milliseconds(20), 2);
  result_.tally.due_while_lost = 1500;
  EXPECT_TRUE(
      says("  lost         3 connections, 2 of them back after p50 20 ms   max 20 ms\n"
           "               1 500 messages due without a connection\n"));
}

TEST_F(SummaryTest, ConnectModeCountsCyclesAndNoConnections) {
  options_.plan.mode = LoadMode::connect;
  EXPECT_TRUE(says("  cycles       100 000, 10 000 per second\n"));
  EXPECT_FALSE(says("  connections "));
}

TEST_F(SummaryTest, AStreamHasNoLatency) {
  options_.plan.mode = LoadMode::stream;
  EXPECT_FALSE(says("  latency "));
  EXPECT_TRUE(says("  bytes "));
}

TEST_F(SummaryTest, WithoutSamplesItSaysThatNothingWasMeasured) {
  result_.tally.latency = Histogram();
  EXPECT_TRUE(says("  latency      nothing was measured\n"));
}

TEST_F(SummaryTest, AnInterruptedRunSaysHowMuchOfItWasMeasured) {
  result_.measured = milliseconds(3500);
  result_.is_interrupted = true;
  EXPECT_TRUE(says("  measured     3.50 s of 10.00 s: interrupted\n"));
  EXPECT_TRUE(text().ends_with("\ninterrupted: every byte that came back is right\n"));
}

TEST_F(SummaryTest, AVeryShortRunHasNoSharesOfACpu) {
  result_.measured = milliseconds(99);
  options_.plan.server_pid = 17;
  result_.server = test::server_usage();
  EXPECT_TRUE(says("  client       1 thread\n"));
  EXPECT_FALSE(says("of a CPU"));
}

TEST_F(SummaryTest, ARunInterruptedBeforeTheWindowPrintsNoInvalidNumbers) {
  result_ = LoadResult();
  result_.is_interrupted = true;
  result_.thread_shares = {0};
  result_.server = test::server_usage();
  options_.plan.server_pid = 17;
  EXPECT_FALSE(says("nan")) << text();
  EXPECT_FALSE(says("inf ")) << text();
  EXPECT_TRUE(says("  measured     0.00 s of 10.00 s: interrupted\n"));
}

TEST_F(SummaryTest, ErrorsAreCountedByKindWithTheFirstInDetail) {
  result_.tally.count(LoadError::lost, "connection 3, offset 4096: 64 bytes lost (got 0x00)");
  for (int i = 0; i < 1200; ++i) {
    result_.tally.count(LoadError::reset, "connection 5: recv: Connection reset by peer");
  }
  EXPECT_TRUE(
      says("  errors       lost 1, reset 1 200\n"
           "               connection 3, offset 4096: 64 bytes lost (got 0x00)\n"
           "               connection 5: recv: Connection reset by peer\n"));
  EXPECT_TRUE(says("               ... and 1 181 more\n"));
  EXPECT_TRUE(
      says("failed: wrong or missing bytes: 1\n"
           "failed: errors: 1 200 (at most 0 allowed)\n"));
  EXPECT_FALSE(says("passed"));
}

TEST_F(SummaryTest, OneErrorMoreThanAreShownIsMentioned) {
  for (std::size_t i = 0; i < Tally::kMostDetails; ++i) {
    result_.tally.count(LoadError::reset, "");
  }
  EXPECT_FALSE(says(" more\n"));
  result_.tally.count(LoadError::reset, "");
  EXPECT_TRUE(says("               ... and 1 more\n"));
}

TEST_F(SummaryTest, ARunThatPassedWithErrorsDoesNotSayThatEveryByteCameBack) {
  options_.max_errors = 5;
  result_.tally.count(LoadError::stalled, "connection 5: stalled: 64 bytes never came back");
  EXPECT_FALSE(says("every byte came back"));
  EXPECT_TRUE(text().ends_with("\npassed: all bytes that came back are right; errors: 1\n"));
}

TEST_F(SummaryTest, SaysIfTheServerProcessDidNotExistAllTheTime) {
  EXPECT_FALSE(says("  server "));
  options_.plan.server_pid = 17;
  EXPECT_TRUE(says("  server       process 17 did not exist all the time\n"));
  result_.measured = seconds(0);
  EXPECT_FALSE(says("  server ")) << "the process was not observed";
}

TEST_F(SummaryTest, WithoutEchoesThereIsNoCostPerEcho) {
  options_.plan.server_pid = 17;
  result_.server = test::server_usage();
  result_.tally.echoes = 0;
  EXPECT_TRUE(says("  server       0.50 s user, 1.50 s system (20 % of a CPU)\n"));
}

TEST_F(SummaryTest, UnknownPortsAreLeftOut) {
  environment_.local_ports.reset();
  EXPECT_TRUE(says("  limits       20 000 open files\n"));
}

TEST_F(SummaryTest, ThreadsAreCounted) {
  result_.thread_shares = {0.5, 0.76};
  result_.client_cpu = seconds(12);
  EXPECT_TRUE(
      says("  client       2 threads, 120 % of a CPU, the busiest thread 76 % of its time\n"));
}

}  // namespace
}  // namespace echod::client
