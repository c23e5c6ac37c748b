// Races between attempts that need no network. connect_race_test.cpp and datagram_probe_test.cpp
// have those of TCP and UDP.
#include "client/sys/route_race.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace echod::test {
namespace {

using std::chrono::milliseconds;

// Longer than the delay between two attempts, so that no test waits for it.
constexpr std::chrono::seconds kLong{20};

// Ends with `error` when it is advanced; EINPROGRESS: never.
class FakeAttempt final : public sys::RouteAttempt {
 public:
  explicit FakeAttempt(int error) : error_(error) {}

  void append_polled(std::vector<pollfd>& /*polled*/) const override {}
  [[nodiscard]] sys::TimePoint due() const override {
    return error_ == EINPROGRESS ? sys::TimePoint::max() : sys::TimePoint();
  }
  [[nodiscard]] int advance(std::span<const pollfd> /*polled*/, sys::TimePoint /*now*/) override {
    return error_;
  }

 private:
  int error_;
};

class RouteRaceTest : public testing::Test {
 protected:
  // Races routes whose attempts end with `errors`. Negative: the attempt cannot begin.
  sys::RaceResult race(const std::vector<int>& errors, sys::Duration timeout) {
    const std::vector<sys::Route> routes(errors.size());
    return sys::race_routes(
        routes, timeout, [&](const sys::Route& route, int& error) -> std::unique_ptr<FakeAttempt> {
          const auto index = static_cast<std::size_t>(&route - routes.data());
          begun_.push_back(index);
          if (errors[index] < 0) {
            error = -errors[index];
            return nullptr;
          }
          return std::make_unique<FakeAttempt>(errors[index]);
        });
  }

  std::vector<std::size_t> begun_;
};

TEST_F(RouteRaceTest, TheFirstRouteThatWorksWinsAndLaterOnesDoNotBegin) {
  const sys::RaceResult result = race({0, 0}, kLong);
  EXPECT_EQ(result.winner, 0U);
  EXPECT_EQ(begun_, (std::vector<std::size_t>{0}));
}

TEST_F(RouteRaceTest, TheNextRouteBeginsAfterAFailure) {
  const sys::RaceResult result = race({ECONNREFUSED, -ENETUNREACH, 0}, kLong);
  EXPECT_EQ(result.winner, 2U);
  EXPECT_EQ(result.errors, (std::vector<int>{ECONNREFUSED, ENETUNREACH, 0}));
}

TEST_F(RouteRaceTest, TheNextRouteBeginsWhileTheFirstIsSilent) {
  const sys::RaceResult result = race({EINPROGRESS, 0}, kLong);
  EXPECT_EQ(result.winner, 1U);
  EXPECT_EQ(result.errors, (std::vector<int>{0, 0}));
}

TEST_F(RouteRaceTest, ASilentRouteFailsAfterTheTimeout) {
  const sys::RaceResult result = race({EINPROGRESS}, milliseconds(1));
  EXPECT_FALSE(result.winner);
  EXPECT_EQ(result.errors, std::vector<int>{ETIMEDOUT});
}

TEST_F(RouteRaceTest, WithoutRoutesThereIsNoWinner) {
  EXPECT_FALSE(race({}, kLong).winner);
}

}  // namespace
}  // namespace echod::test
