#include "client/echoctl/top_frame.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

class TopFrameTest : public testing::Test {
 protected:
  TopFrameTest() {
    const TopFigures first = next_figures(nullptr, parse_status(test::status_example().dump()),
                                          parse_connections(test::connections_example().dump()));
    Status status = first.status;
    status.now += 2;
    status.counters["accepted"] += 25;
    status.counters["echoes"] += 2468;
    status.counters["closed_reset"] += 4;
    status.counters["bytes_received"] += 4096;
    status.cpu_user_s += 1;
    status.server_delay.ranges[0].count += 10;
    figures_ = next_figures(&first, std::move(status), first.busiest);
  }

  [[nodiscard]] std::vector<std::string> frame(std::size_t columns, std::size_t rows) const {
    return top_frame(figures_, {.columns = columns, .rows = rows}, Style(false));
  }
  [[nodiscard]] std::string text(std::size_t columns = 80, std::size_t rows = 50) const {
    std::string all;
    for (const std::string& line : frame(columns, rows)) {
      all += line + '\n';
    }
    return all;
  }

  TopFigures figures_;
};

TEST_F(TopFrameTest, ShowsRatesListenersWorkersAndTheBusiestConnections) {
  EXPECT_EQ(text(), R"(echod 0.1.0 is serving, healthy and ready, up 16m 42s
connections  12 of 1 000   open files 40 of 1 024   CPU 50 %
buffers      4 KiB of 64 MiB   memory 12 MiB
per second   accepted 12.5   echoes 1 234   in 2 KiB/s   out 0 B/s
closed       2 per second: reset 2
server delay p50 5 us  p99 9.9 us  (10 samples)

LISTENER   CONNECTIONS  ACCEPTED/S  WAITING  BACKLOG  DROPPED
[::]:2003           12           0        3    1 024        0

WORKER  CONNECTIONS  SHARE  BUFFERS
     0            9   75 %    4 KiB
     1            3   25 %      0 B

BUSIEST          PER SECOND  RECEIVED  OWED    IDLE  WORKER  STATE
192.0.2.1:40000       0 B/s     2 KiB   0 B  0.01 s       0  echoing
[2001:db8::1]:1       0 B/s       0 B   7 B  1.50 s       1  flushing
)");
}

TEST_F(TopFrameTest, ShowsDatagramsIfThereIsAUdpListener) {
  EXPECT_EQ(text().find("datagrams"), std::string::npos);
  TopFigures before = figures_;
  before.status.datagram_listeners = {
      {.address = "udp [::]:2003", .queued_bytes = 0, .dropped = 4, .is_open = true}};
  Status status = before.status;
  status.now += 2;
  status.counters["datagrams_received"] += 30;
  status.counters["datagrams_echoed"] += 20;
  status.counters["datagrams_dropped_own_port"] += 4;
  status.counters["datagrams_dropped_port_zero"] += 6;
  status.datagram_listeners[0] = {
      .address = "udp [::]:2003", .queued_bytes = 768, .dropped = 18, .is_open = false};
  figures_ = next_figures(&before, std::move(status), before.busiest);
  EXPECT_NE(text().find("\ndatagrams/s  received 15   echoed 10   dropped 5   by the kernel 7\n"),
            std::string::npos)
      << text();
  EXPECT_NE(text().find("\n\nUDP LISTENER   QUEUED  DROPPED\n"
                        "udp [::]:2003   768 B       18  closed\n\n"),
            std::string::npos)
      << text();
}

TEST_F(TopFrameTest, SaysWhenTheProgramWasUpgraded) {
  figures_.status.upgrades.done = 1;
  figures_.status.program_started_at = figures_.status.now - 65;
  EXPECT_TRUE(text().starts_with(
      "echod 0.1.0 is serving, healthy and ready, up 16m 42s, upgraded 1m 05s ago\n"))
      << text();
}

TEST_F(TopFrameTest, NeverExceedsTheScreen) {
  for (std::uint64_t number = 2; number < 64; ++number) {
    figures_.status.workers.push_back({.number = number});
  }
  figures_.problem = "there is no /run/echod/admin.sock: is echod running?";
  for (std::size_t rows = 1; rows < 100; ++rows) {
    for (const std::size_t columns : {1U, 7U, 40U, 80U, 300U}) {
      const std::vector<std::string> lines = frame(columns, rows);
      EXPECT_LE(lines.size(), rows);
      EXPECT_TRUE(std::ranges::all_of(
          lines, [&](const std::string& line) { return width_of(line) <= columns; }));
    }
  }
}

TEST_F(TopFrameTest, ALongTableIsCutAndTheOthersStay) {
  for (std::uint64_t number = 2; number < 64; ++number) {
    figures_.status.workers.push_back({.number = number});
  }
  const std::string shown = text(80, 24);
  EXPECT_NE(shown.find("[::]:2003 "), std::string::npos);
  EXPECT_NE(shown.find("\n... and 56 more\n"), std::string::npos) << shown;
  EXPECT_NE(shown.find("[2001:db8::1]:1 "), std::string::npos);
  EXPECT_EQ(frame(80, 24).size(), 24U);
}

TEST_F(TopFrameTest, AStuckWorkerIsNotCutOff) {
  for (std::uint64_t number = 2; number < 64; ++number) {
    figures_.status.workers.push_back({.number = number, .is_stuck = number == 60});
  }
  EXPECT_NE(text(80, 24).find("\n    60            0    0 %      0 B  stuck\n"), std::string::npos)
      << text(80, 24);
}

TEST_F(TopFrameTest, BeforeTheSecondAnswerThereAreNoRates) {
  figures_ = next_figures(nullptr, figures_.status, figures_.busiest);
  EXPECT_NE(text().find("\nper second   accepted -   echoes -   in -   out -\n"),
            std::string::npos);
  EXPECT_NE(text().find("\nclosed       - per second\n"), std::string::npos);
  EXPECT_NE(text().find("\nserver delay p50 -  p99 -  (0 samples)\n"), std::string::npos);
}

TEST_F(TopFrameTest, SaysWhyTheFiguresAreOld) {
  figures_.problem = "no answer from echod";
  EXPECT_EQ(frame(80, 50).at(1), "no answer from echod");
}

TEST_F(TopFrameTest, SaysThatConnectionsAreMissing) {
  figures_.busiest.silent_workers = {1};
  EXPECT_EQ(frame(80, 50).at(1), "worker 1 did not answer: connections are missing");
}

}  // namespace
}  // namespace echod::ctl
