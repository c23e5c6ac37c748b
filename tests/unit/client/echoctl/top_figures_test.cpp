#include "client/echoctl/top_figures.hpp"

#include <gtest/gtest.h>

#include <utility>

#include "status_example.hpp"

namespace echod::ctl {
namespace {

TopFigures first_figures() {
  return next_figures(nullptr, parse_status(test::status_example().dump()),
                      parse_connections(test::connections_example().dump()));
}

// Two seconds after first_figures().
TopFigures second_figures() {
  const TopFigures first = first_figures();
  Status status = first.status;
  ConnectionList busiest = first.busiest;
  status.now += 2;
  status.listeners[0].accepted += 5;
  busiest.connections[0].bytes_received += 2048;
  return next_figures(&first, std::move(status), std::move(busiest));
}

TEST(TopFiguresTest, TheFirstAnswerHasNoRates) {
  const TopFigures figures = first_figures();
  EXPECT_FALSE(figures.rates);
  EXPECT_TRUE(figures.accepted.empty());
  EXPECT_TRUE(figures.speeds.empty());
  EXPECT_EQ(rate_text(figures, &Rates::accepted), "-");
  EXPECT_EQ(speed_text(figures, &Rates::bytes_sent), "-");
  EXPECT_EQ(delay_text(figures, 0.5), "-");
}

TEST(TopFiguresTest, ListenersAndConnectionsHaveRatesOfTheirOwn) {
  const TopFigures figures = second_figures();
  ASSERT_EQ(figures.accepted.size(), 1U);
  EXPECT_EQ(figures.accepted[0], 2.5);
  EXPECT_EQ(figures.speeds.at("0-17-3fa"), 1024);
  EXPECT_EQ(figures.speeds.at("1-2-1"), 0);
}

TEST(TopFiguresTest, AConnectionThatWasNotListedBeforeHasNoSpeed) {
  const TopFigures first = first_figures();
  Status status = first.status;
  ConnectionList busiest = first.busiest;
  status.now += 2;
  busiest.connections[1].id = "1-2-2";  // Another connection of the same peer.
  const TopFigures second = next_figures(&first, std::move(status), std::move(busiest));
  EXPECT_EQ(second.speeds.size(), 1U);
  EXPECT_TRUE(second.speeds.contains("0-17-3fa"));
}

TEST(TopFiguresTest, AfterARestartTheRatesBeginAnew) {
  const TopFigures second = second_figures();
  Status restarted = second.status;
  restarted.now += 2;
  restarted.started_at = second.status.now;
  const TopFigures third = next_figures(&second, restarted, second.busiest);
  EXPECT_FALSE(third.rates);
  EXPECT_TRUE(third.accepted.empty());
  EXPECT_TRUE(third.speeds.empty());
  restarted.now += 2;
  EXPECT_TRUE(next_figures(&third, restarted, {}).rates);
}

// The counters go on, but the new program may give the ID of a connection to another one.
TEST(TopFiguresTest, AfterAnUpgradeTheRatesGoOnWithoutThoseOfConnections) {
  const TopFigures first = first_figures();
  Status status = first.status;
  status.now += 2;
  status.program_started_at = status.now - 1;
  status.counters["accepted"] += 10;
  const TopFigures second = next_figures(&first, std::move(status), first.busiest);
  ASSERT_TRUE(second.rates);
  EXPECT_EQ(second.rates->accepted, 5);
  EXPECT_TRUE(second.speeds.empty());
}

TEST(TopFiguresTest, AProblemIsOverWithTheNextAnswer) {
  TopFigures figures = first_figures();
  figures.problem = "no answer";
  EXPECT_EQ(next_figures(&figures, figures.status, {}).problem, "");
}

}  // namespace
}  // namespace echod::ctl
