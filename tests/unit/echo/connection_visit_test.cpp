#include "echo/connection_visit.hpp"

#include <gtest/gtest.h>

#include <set>

#include "echo_fixture.hpp"

namespace echod::test {
namespace {

class ConnectionVisitTest : public EchoFixture {
 protected:
  static constexpr std::size_t kPerTurn = 256;
  static constexpr int kFirst = 10000;

  void connect_many(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      connect(kFirst + static_cast<int>(i));
    }
  }
  void expect_turn() {
    kernel_.expect_epoll_wait({}, 0);
    iterate();
  }

  std::multiset<std::uint32_t> visited_;
  int ends_ = 0;
  ConnectionVisit visit_{
      loop_, context_.table,
      [this](Connection& connection) { visited_.insert(connection.table_index()); },
      [this] { ++ends_; }};
};

TEST_F(ConnectionVisitTest, VisitsEachConnectionOnceASliceInEachTurn) {
  connect_many(2 * kPerTurn + 1);
  visit_.start();
  for (const std::size_t so_far : {kPerTurn, 2 * kPerTurn, 2 * kPerTurn + 1}) {
    EXPECT_EQ(ends_, 0);
    expect_turn();
    EXPECT_EQ(visited_.size(), so_far);
  }
  EXPECT_EQ(std::set<std::uint32_t>(visited_.begin(), visited_.end()).size(), visited_.size());
  EXPECT_EQ(ends_, 1);
  expect_rest();
}

TEST_F(ConnectionVisitTest, LetsOthersHaveTurnsBetweenSlices) {
  connect_many(kPerTurn + 1);
  visit_.start();
  expect_turn();
  kernel_.expect_epoll_wait({{kFirst, EPOLLIN}}, 0);
  kernel_.expect_recv(kFirst, "ping").then([this] { EXPECT_EQ(visited_.size(), kPerTurn); });
  kernel_.expect_send(kFirst, "ping");
  iterate();
  EXPECT_EQ(ends_, 1);
}

TEST_F(ConnectionVisitTest, BeginsAnewWhenItIsStartedAgain) {
  connect_many(kPerTurn + 1);
  visit_.start();
  expect_turn();
  visit_.start();
  expect_turn();
  expect_turn();
  EXPECT_EQ(visited_.size(), 2 * kPerTurn + 1);
  EXPECT_EQ(ends_, 1);
}

TEST_F(ConnectionVisitTest, EndsAtOnceWithoutConnections) {
  visit_.start();
  expect_turn();
  EXPECT_EQ(ends_, 1);
}

TEST_F(ConnectionVisitTest, ThatGoesBetweenItsTurnsLeavesNothingBehind) {
  {
    ConnectionVisit mortal(
        loop_, context_.table, [](Connection& /*connection*/) {}, [] {});
    mortal.start();
  }
  expect_rest();
}

}  // namespace
}  // namespace echod::test
