// Reads an option of a socket (getsockopt(2)). Fails the test if there is no such option.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace echod::test {

[[nodiscard]] inline int option_of(int fd, int level, int option) {
  int value = -1;
  socklen_t length = sizeof value;
  EXPECT_EQ(getsockopt(fd, level, option, &value, &length), 0) << "option " << option;
  return value;
}

}  // namespace echod::test
