#include "client/echoctl/interval_line.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

TEST(IntervalLineTest, TheValuesStandBelowTheirHeadings) {
  const TopFigures first = next_figures(nullptr, parse_status(test::status_example().dump()), {});
  Status status = first.status;
  status.now += 2;
  status.counters["accepted"] += 25;
  status.counters["closed_reset"] += 3;
  status.counters["echoes"] += 2'469'134;
  status.counters["bytes_received"] += 3 << 20;
  status.server_delay.ranges[2].count = 1;
  const TopFigures second = next_figures(&first, std::move(status), {});
  EXPECT_EQ(interval_headings(),
            "  conns accept/s  close/s   echo/s         in        out  wait    p50    p99 state\n");
  EXPECT_EQ(
      interval_line(first),
      "     12        -        -        -          -          -     3      -      - serving\n");
  EXPECT_EQ(
      interval_line(second),
      "     12     12.5     1.50  1234567   1.5MiB/s       0B/s     3  >20us  >20us serving\n");
}

}  // namespace
}  // namespace echod::ctl
