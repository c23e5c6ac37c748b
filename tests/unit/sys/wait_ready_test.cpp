#include "sys/wait_ready.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "sys/event_fd.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;
using sys::MonotonicClock;
using sys::wait_ready;

// A deadline that the test does not reach.
sys::TimePoint much_later() {
  return MonotonicClock::now() + 60s;
}

TEST(WaitReadyTest, ReturnsTheReadyEvents) {
  sys::EventFd event;
  EXPECT_EQ(wait_ready(event.fd(), POLLIN | POLLOUT, much_later()), POLLOUT);
  event.signal();
  EXPECT_EQ(wait_ready(event.fd(), POLLIN | POLLOUT, much_later()), POLLIN | POLLOUT);
  EXPECT_EQ(wait_ready(event.fd(), POLLIN, much_later()), POLLIN);
}

TEST(WaitReadyTest, WaitsUntilTheDeadlineAndNotLess) {
  const sys::EventFd event;
  const sys::TimePoint deadline = MonotonicClock::now() + 1500us;
  EXPECT_EQ(wait_ready(event.fd(), POLLIN, deadline), 0);
  EXPECT_GE(MonotonicClock::now(), deadline);
}

TEST(WaitReadyTest, APastDeadlineOnlyPolls) {
  sys::EventFd event;
  const sys::TimePoint past = MonotonicClock::now() - 1s;
  EXPECT_EQ(wait_ready(event.fd(), POLLIN, past), 0);
  event.signal();
  EXPECT_EQ(wait_ready(event.fd(), POLLIN, past), POLLIN);
}

TEST(WaitReadyTest, CountsReadyDescriptors) {
  sys::EventFd ready;
  const sys::EventFd idle;
  ready.signal();
  std::array<pollfd, 2> fds{{{.fd = idle.fd(), .events = POLLIN, .revents = 0},
                             {.fd = ready.fd(), .events = POLLIN, .revents = 0}}};
  EXPECT_EQ(wait_ready(fds, much_later()).count(), 1U);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[1].revents, POLLIN);
}

TEST(WaitReadyTest, SleepsUntilTheDeadlineWithoutDescriptors) {
  const sys::TimePoint deadline = MonotonicClock::now() + 2ms;
  EXPECT_EQ(wait_ready({}, deadline).count(), 0U);
  EXPECT_GE(MonotonicClock::now(), deadline);
}

}  // namespace
}  // namespace echod::test
