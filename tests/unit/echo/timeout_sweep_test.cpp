#include "echo/timeout_sweep.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

#include "echo_fixture.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

TimeoutsConfig timeouts(std::chrono::milliseconds idle, std::chrono::milliseconds stalled_write,
                        std::chrono::milliseconds linger) {
  return {.idle = idle, .stalled_write = stalled_write, .linger = linger, .drain = 30s};
}

TEST(SweepIntervalTest, IsASixteenthOfTheShortestTimeoutInForce) {
  EXPECT_EQ(sweep_interval(timeouts(16s, 160s, 1600ms), false, false), 1s);
  EXPECT_EQ(sweep_interval(timeouts(160s, 16s, 1600ms), false, false), 1s);
  EXPECT_EQ(sweep_interval(timeouts(0s, 32s, 1600ms), false, false), 2s);
  EXPECT_EQ(sweep_interval(timeouts(32s, 0s, 1600ms), false, false), 2s);
}

TEST(SweepIntervalTest, TakesTheLingerTimeIntoAccountWhileDrainingOnly) {
  EXPECT_EQ(sweep_interval(timeouts(16s, 160s, 1600ms), true, false), 100ms);
  EXPECT_EQ(sweep_interval(timeouts(0s, 0s, 1600ms), true, false), 100ms);
  EXPECT_EQ(sweep_interval(timeouts(16s, 0s, 160s), true, false), 1s);
}

TEST(SweepIntervalTest, IsTenSecondsWhenNoTimeoutIsInForceForWhatSplicePins) {
  EXPECT_EQ(sweep_interval(timeouts(0s, 0s, 2s), false, false), 10s);
}

TEST(SweepIntervalTest, IsNeitherShorterThan10MsNorLongerThan10S) {
  EXPECT_EQ(sweep_interval(timeouts(100ms, 0s, 2s), false, false), 10ms);
  EXPECT_EQ(sweep_interval(timeouts(1h, 1h, 2s), false, false), 10s);
  EXPECT_EQ(sweep_interval(timeouts(0s, 0s, 0s), true, false), 10ms);
}

class TimeoutSweepTest : public EchoFixture {
 protected:
  TimeoutSweepTest() { context_.settings.timeouts = timeouts(16s, 0s, 1600ms); }

  // The timer is waited for and sets off a sweep.
  void expect_sweep_after(int timeout_ms) {
    kernel_.expect_epoll_wait_timeout(timeout_ms);
    iterate();
    kernel_.expect_epoll_wait({}, 0);
    iterate();
  }

  TimeoutSweep sweep_{context_};
};

TEST_F(TimeoutSweepTest, ClosesAConnectionWithinASixteenthOfItsTimeout) {
  connect(kFd);
  sweep_.schedule();
  for (int i = 0; i < 16; ++i) {
    expect_sweep_after(1000);  // At the last of these its time is not over, it is just up.
  }
  EXPECT_EQ(closed_in_all(), 0U);
  expect_sweep_after(1000);
  EXPECT_EQ(closed(CloseReason::idle_timeout), 1U);
  EXPECT_TRUE(kernel_.was_closed(kFd));
}

TEST_F(TimeoutSweepTest, ClosesNobodyWhenNoTimeoutIsInForce) {
  context_.settings.timeouts = timeouts(0s, 0s, 2s);
  connect(kFd);
  sweep_.schedule();
  expect_sweep_after(10'000);
  expect_sweep_after(10'000);
  EXPECT_EQ(closed_in_all(), 0U);
  EXPECT_EQ(kernel_.count(Call::ioctl), 0U) << "nothing is asked about a connection at rest";
}

TEST_F(TimeoutSweepTest, IsEverySecondWhileSplicedRoundsMayPinMemory) {
  context_.settings.timeouts = timeouts(0s, 0s, 2s);
  context_.pinned_rounds.apply({.most_rounds_in_all = 1});
  std::uint8_t rounds = 0;
  ASSERT_TRUE(context_.pinned_rounds.add(kFd, rounds));
  sweep_.schedule();
  expect_sweep_after(1000);
  context_.pinned_rounds.clear(rounds);
  expect_sweep_after(1000);  // It was scheduled before.
  expect_sweep_after(10'000);
}

TEST_F(TimeoutSweepTest, IsEarlierWithShorterTimeoutsAndWhenDrainingBegins) {
  context_.settings.timeouts = timeouts(0s, 0s, 1600ms);
  sweep_.schedule();
  kernel_.expect_epoll_wait({}, 10'000);
  iterate();
  context_.settings.timeouts = timeouts(32s, 0s, 1600ms);
  sweep_.schedule();
  kernel_.expect_epoll_wait({}, 2000);
  iterate();
  context_.is_draining = true;
  sweep_.schedule();
  kernel_.expect_epoll_wait({}, 100);
  iterate();
}

TEST_F(TimeoutSweepTest, IsNotPutOffByNewSettings) {
  sweep_.schedule();
  kernel_.expect_epoll_wait({}, 1000);
  iterate();
  kernel_.advance(600ms);
  kernel_.expect_epoll_wait({}, 1000);  // The time is read after the wait.
  iterate();
  context_.settings.timeouts = timeouts(32s, 0s, 1600ms);
  sweep_.schedule();
  kernel_.expect_epoll_wait({}, 400);
  iterate();
}

}  // namespace
}  // namespace echod::test
