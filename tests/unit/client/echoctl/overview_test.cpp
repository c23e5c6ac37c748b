#include "client/echoctl/overview.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

class OverviewTest : public testing::Test {
 protected:
  OverviewTest() {
    (void)setenv("TZ", "UTC0", 1);
    tzset();
  }
  ~OverviewTest() override {
    (void)unsetenv("TZ");
    tzset();
  }

  [[nodiscard]] std::string text(Sizes sizes = Sizes::readable) const {
    return overview(status_, sizes, Style(false));
  }
  [[nodiscard]] bool has(const std::string& part) const {
    return text().find(part) != std::string::npos;
  }

  Status status_ = parse_status(test::status_example().dump());
};

TEST_F(OverviewTest, ShowsTheFiguresThatMatter) {
  EXPECT_EQ(text(), R"(echod 0.1.0 is serving, healthy and ready
PID 4711, started 2025-11-29 07:06:40, 16m 40s ago

  connections   12 of 1 000               accepted      100
  open files    40 of 1 024               echoes        5 000
  buffers       4 KiB of 64 MiB           received      1 MiB
  memory        12 MiB                    sent          1023 KiB
  log levels    debug, stderr error       CPU time      4.00 s
  server delay  p50 11.7 us, p99 19.8 us (10 samples since the start)
  config        /etc/echod.toml, loaded 2025-11-29 07:06:40

LISTENER   CONNECTIONS  ACCEPTED  WAITING  BACKLOG  DROPPED
[::]:2003           12       100        3    1 024        0

WORKER  CONNECTIONS  SHARE  BUFFERS  TURNS
     0            9   75 %    4 KiB  1 234
     1            3   25 %      0 B     99

CLOSED CONNECTIONS
  peer_closed 80, reset 8
)");
}

TEST_F(OverviewTest, SaysWhenThisProgramStartedAfterAnUpgrade) {
  status_.program_started_at = status_.now - 300;
  status_.upgrades = {
      .done = 3, .last_pause_s = 0.0312, .earlier_version = "0.0.9", .last_error = ""};
  EXPECT_TRUE(
      has("\nPID 4711, started 2025-11-29 07:06:40, 16m 40s ago\n"
          "program started 2025-11-29 07:18:20, 5m 00s ago (upgrade 3, pause 31.2 ms)\n\n"))
      << text();
}

TEST_F(OverviewTest, SaysOnceWhyTheLastUpgradeDidNotHappen) {
  status_.upgrades.refused = 1;
  status_.upgrades.last_error = "it exited with code 127";
  EXPECT_TRUE(has("\nthe last upgrade did not happen: it exited with code 127\n"));
  EXPECT_TRUE(has("\nLIMITS AND REFUSALS\n  upgrades refused 1\n")) << text();
  status_.config.reload_error = "upgrade: it exited with code 127";
  EXPECT_TRUE(has("\nthe last reload was refused: upgrade: it exited with code 127\n"));
  EXPECT_FALSE(has("the last upgrade did not happen"));
}

TEST_F(OverviewTest, SizesCanBeExact) {
  EXPECT_NE(text(Sizes::exact).find("  received      1048576\n"), std::string::npos);
  EXPECT_NE(text(Sizes::exact).find("  buffers       4096 of 67108864 "), std::string::npos);
}

TEST_F(OverviewTest, FitsInto80ColumnsWithLargeFigures) {
  status_.connections = 1'000'000;
  status_.max_connections = 1'048'576;
  status_.open_files = status_.open_files_limit = 1'048'576;
  for (auto& [name, value] : status_.counters) {
    value = 999'999'999'999;
  }
  for (const char* const name :
       {"closed_timed_out", "closed_io_error", "closed_idle_timeout", "closed_stalled_write",
        "closed_drained", "closed_linger_timeout", "closed_drain_deadline", "closed_forced",
        "paused_resources", "accept_errors", "register_failures", "unbuffered_reads"}) {
    status_.counters[name] = 123'456'789;
  }
  for (Listener& listener : status_.listeners) {
    listener.connections = 1'000'000;
    listener.accepted = 999'999'999;
  }
  std::istringstream lines(text());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(width_of(line), 80U) << line;
  }
}

TEST_F(OverviewTest, SaysWhyEchodIsNotWell) {
  status_.phase = "draining";
  status_.not_ready_because = "it is draining";
  status_.unhealthy_because = "worker 1 has made no turn for 7 s";
  status_.config.reload_error = "echod.toml:3: no such key";
  status_.workers[1].is_stuck = true;
  EXPECT_TRUE(text().starts_with("echod 0.1.0 is draining, not healthy and not ready\n"));
  EXPECT_TRUE(
      has("\nnot healthy: worker 1 has made no turn for 7 s\n"
          "not ready: it is draining\n"
          "the last reload was refused: echod.toml:3: no such key\n"));
  EXPECT_TRUE(has("     1            3   25 %      0 B     99  stuck\n")) << text();
}

TEST_F(OverviewTest, ShowsLimitsAndRefusalsThatHappened) {
  status_.counters["paused_full"] = 5;
  status_.listeners[0].dropped = 17;
  status_.worker_stalls = 1;
  status_.log.lines_dropped = 2;
  status_.log.write_failures = 3;
  status_.config.reloads_refused = 4;
  EXPECT_TRUE(
      has("\nLIMITS AND REFUSALS\n  dropped from accept queues 17, paused_full 5, reloads "
          "refused 4,\n  log write failures 3, log lines dropped 2, worker_stalls 1\n"))
      << text();
}

TEST_F(OverviewTest, ShowsNoQueueIfItIsUnknown) {
  status_.listeners[0].address = "unix:/run/a.sock";
  status_.listeners[0].waiting = status_.listeners[0].queue_limit =
      status_.listeners[0].dropped = {};
  EXPECT_TRUE(has("\nunix:/run/a.sock           12       100        -        -        -\n"))
      << text();
}

TEST_F(OverviewTest, ShowsDatagramsIfThereAreAny) {
  EXPECT_FALSE(has("UDP LISTENER"));
  EXPECT_FALSE(has("DATAGRAMS"));
  status_.datagram_listeners = {
      {.address = "udp [::]:2003", .queued_bytes = 768, .dropped = 17, .is_open = true},
      {.address = "udp 192.0.2.1:7", .is_open = false}};
  status_.counters["datagrams_received"] = 1234;
  status_.counters["datagrams_echoed"] = 1233;
  status_.counters["datagrams_dropped_own_port"] = 1;
  EXPECT_TRUE(
      has("\nUDP LISTENER     QUEUED  DROPPED\nudp [::]:2003     768 B       17\n"
          "udp 192.0.2.1:7     0 B        0  closed\n"))
      << text();
  EXPECT_TRUE(
      has("\nDATAGRAMS\n  datagrams_received 1 234, datagrams_echoed 1 233, "
          "datagrams_dropped_own_port 1\n"))
      << text();
}

TEST_F(OverviewTest, ShowsTheLastTroubles) {
  status_.log.trouble = {"one", "two"};
  EXPECT_TRUE(text().ends_with("\nLAST WARNINGS AND ERRORS IN THE LOG\n  one\n  two\n"));
}

TEST_F(OverviewTest, WithoutDelaysItSaysSo) {
  status_.server_delay = Delays();
  EXPECT_TRUE(has("  server delay  not measured yet\n"));
}

TEST_F(OverviewTest, OfManyWorkersOnlyTheStuckOnesHaveARow) {
  status_.workers.clear();
  for (std::uint64_t number = 0; number < 64; ++number) {
    status_.workers.push_back({.number = number, .connections = 100 + number});
  }
  EXPECT_FALSE(has("WORKER"));
  EXPECT_TRUE(has("\n64 workers have 100 to 163 connections each\n"));
  status_.workers[33].is_stuck = true;
  EXPECT_TRUE(has("    33          133"));
  EXPECT_FALSE(has("    34          134"));
}

TEST_F(OverviewTest, WorksWithoutListenersAndWorkers) {
  status_.listeners.clear();
  status_.workers.clear();
  status_.counters.clear();
  status_.connections = 0;
  EXPECT_TRUE(has("LISTENER"));
}

TEST_F(OverviewTest, HeadingsStandOutOnATerminal) {
  const std::string styled = overview(status_, Sizes::readable, Style(true));
  EXPECT_TRUE(styled.starts_with(
      "\x1b[1mechod 0.1.0\x1b[0m is serving, \x1b[32mhealthy\x1b[0m and \x1b[32mready\x1b[0m\n"));
  EXPECT_NE(styled.find("\n\x1b[1mLISTENER   CONN"), std::string::npos);
}

TEST_F(OverviewTest, ASmallPartOfNothingHasNoShare) {
  EXPECT_EQ(share_text(0, 0), "-");
  EXPECT_EQ(share_text(1, 3), "33 %");
  EXPECT_EQ(part_text(1234, 1000000), "1 234 of 1 000 000");
  EXPECT_EQ(size_text(1023, Sizes::readable), "1023 B");
  EXPECT_EQ(size_text(1024, Sizes::readable), "1 KiB");
}

}  // namespace
}  // namespace echod::ctl
