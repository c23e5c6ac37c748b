#include "client/report/run_lines.hpp"

#include <gtest/gtest.h>

#include "load_results.hpp"

namespace echod::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RunLinesTest : public testing::Test {
 protected:
  Options options_ = test::good_options();
};

TEST_F(RunLinesTest, TheTitleSaysWhatWasAskedFor) {
  options_.plan.connections = 1;
  options_.plan.active = 1;
  EXPECT_EQ(settings_line(options_),
            "echo, 1 connection, 64 bytes, depth 1, closed loop, 1 thread, to 192.0.2.9:2003");
  options_.plan.connections = 10'000;
  options_.plan.active = 1000;
  options_.plan.sizes = {.smallest = 64, .largest = 4096};
  options_.plan.rate_per_s = 50'000;
  options_.plan.threads = 2;
  options_.plan.server = *SocketAddress::parse("::1", 7);
  EXPECT_EQ(settings_line(options_),
            "echo, 10 000 connections (1 000 active), 64 bytes to 4 KiB, depth 1, open loop at 50 "
            "000/s, 2 threads, to [::1]:7");
  options_.plan.arrivals = Arrivals::poisson;
  EXPECT_NE(settings_line(options_).find("open loop at 50 000/s, Poisson arrivals, 2 threads"),
            std::string::npos);
  options_ = test::good_options();
  options_.plan.mode = LoadMode::connect;
  EXPECT_EQ(settings_line(options_),
            "connect, 64 connections, 64 bytes, closed loop, 1 thread, to 192.0.2.9:2003");
  options_.plan.mode = LoadMode::stream;
  options_.plan.depth = 16;
  EXPECT_EQ(settings_line(options_),
            "stream, 64 connections, 64 bytes, depth 16, 1 thread, to 192.0.2.9:2003");
  options_ = test::good_options();
  options_.plan.server = client::Endpoint::udp(options_.plan.server.address());
  options_.plan.burst = options_.plan.depth = 32;
  EXPECT_EQ(settings_line(options_),
            "echo, 64 sockets, 64 bytes, depth 32, bursts of 32, closed loop, 1 thread, to "
            "udp://192.0.2.9:2003");
}

TEST_F(RunLinesTest, TheProgressLineOfEachPhase) {
  LoadProgress progress;
  progress.tally.connected = 1;
  EXPECT_EQ(progress_line(options_, progress), "connecting: 0 errors, 1 of 64 connections");
  progress.phase = LoadPhase::waiting;
  EXPECT_TRUE(progress_line(options_, progress).starts_with("waiting for --start-at: "));
  progress.phase = LoadPhase::warming_up;
  EXPECT_TRUE(progress_line(options_, progress).starts_with("warming up: "));
  progress.phase = LoadPhase::measuring;
  progress.measured = seconds(2);
  progress.tally.connected = 64;
  progress.tally.echoes = 20'000;
  progress.tally.bytes_received = 1'280'000;
  progress.tally.latency.record(milliseconds(1), 99);
  EXPECT_TRUE(progress_line(options_, progress).find("p50") != std::string::npos &&
              progress_line(options_, progress).find("p99") == std::string::npos)
      << "p99 needs 100 samples";
  progress.tally.latency.record(milliseconds(1));
  progress.tally.count(LoadError::reset, "");
  EXPECT_EQ(progress_line(options_, progress),
            "measuring 2 of 10 s: 1 error, 64 of 64 connections, 10 000 echoes/s, p50 1 ms, "
            "p99 1 ms, 0.6 MB/s");
  progress.phase = LoadPhase::finishing;
  EXPECT_TRUE(progress_line(options_, progress).starts_with("finishing 2 of 10 s: "));
}

TEST_F(RunLinesTest, TheLineOfAnIntervalSaysItsTime) {
  Interval interval{.begin = seconds(3),
                    .length = seconds(1),
                    .counts = {.echoes = 20'000, .bytes_received = 1'280'000},
                    .latencies = 20'000,
                    .p50 = milliseconds(1),
                    .p99 = milliseconds(2),
                    .max = milliseconds(3)};
  EXPECT_EQ(interval_line(options_, interval),
            "3 to 4 s: 0 errors, 20 000 echoes/s, p50 1 ms, p99 2 ms, max 3 ms, 1.3 MB/s");
  interval.p50.reset();
  interval.p99.reset();
  EXPECT_EQ(interval_line(options_, interval),
            "3 to 4 s: 0 errors, 20 000 echoes/s, max 3 ms, 1.3 MB/s");
}

TEST_F(RunLinesTest, TheLineOfAShortIntervalWithoutEchoes) {
  options_.plan.interval = milliseconds(250);
  const Interval interval{.begin = milliseconds(250),
                          .length = milliseconds(250),
                          .counts = {.errors = 1, .lost = 2, .lost_datagrams = 1},
                          .p50 = {},
                          .p99 = {}};
  EXPECT_EQ(interval_line(options_, interval),
            "0.25 to 0.50 s: 1 error, 0 echoes/s, 0.0 MB/s, 2 connections lost, 1 datagram lost");
}

}  // namespace
}  // namespace echod::client
