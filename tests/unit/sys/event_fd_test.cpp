#include "sys/event_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <thread>

#include "deadline.hpp"

namespace echod::test {
namespace {

bool is_readable(const sys::EventFd& event, int timeout_ms = 0) {
  pollfd watched{.fd = event.fd(), .events = POLLIN, .revents = 0};
  return poll(&watched, 1, timeout_ms) == 1;
}

TEST(EventFdTest, IsReadableFromASignalUntilItIsCleared) {
  sys::EventFd event;
  EXPECT_FALSE(is_readable(event));
  event.signal();
  event.signal();
  EXPECT_TRUE(is_readable(event));
  event.clear();
  EXPECT_FALSE(is_readable(event));
  event.clear();  // Already clear: returns at once.
  event.signal();
  EXPECT_TRUE(is_readable(event));
}

TEST(EventFdTest, WakesAWaitingThread) {
  sys::EventFd event;
  std::thread other([&event] { event.signal(); });
  EXPECT_TRUE(is_readable(event, Deadline().left_ms()));
  other.join();
}

TEST(EventFdTest, IsNonBlockingAndCloseOnExec) {
  const sys::EventFd event;
  EXPECT_NE(fcntl(event.fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(event.fd(), F_GETFD) & FD_CLOEXEC, 0);
}

}  // namespace
}  // namespace echod::test
