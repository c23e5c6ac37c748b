#include "sys/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace echod::test {
namespace {

sys::UniqueFd open_one() {
  return sys::UniqueFd::adopt(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// A second close shows whether the descriptor was closed.
bool is_closed(int fd) {
  return fcntl(fd, F_GETFD) == -1 && errno == EBADF;
}

TEST(UniqueFdTest, ClosesItsDescriptorWhenItIsDestroyed) {
  int fd = -1;
  {
    const sys::UniqueFd owner = open_one();
    fd = owner.get();
    ASSERT_TRUE(owner.is_open());
    EXPECT_FALSE(is_closed(fd));
  }
  EXPECT_TRUE(is_closed(fd));
  EXPECT_EQ(close(fd), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST(UniqueFdTest, MovingTransfersTheDescriptorAndClosesTheOldOne) {
  sys::UniqueFd first = open_one();
  const int fd = first.get();
  sys::UniqueFd second(std::move(first));
  EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(second.get(), fd);
  sys::UniqueFd third = open_one();
  const int other = third.get();
  third = std::move(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_TRUE(is_closed(other));
  EXPECT_FALSE(is_closed(fd));
}

TEST(UniqueFdTest, ResetClosesOnceAndReleaseDoesNotClose) {
  sys::UniqueFd owner = open_one();
  const int fd = owner.get();
  owner.reset();
  EXPECT_TRUE(is_closed(fd));
  sys::UniqueFd stranger = open_one();
  ASSERT_EQ(stranger.get(), fd);  // The lowest free number.
  owner.reset();
  EXPECT_FALSE(is_closed(fd));
  EXPECT_EQ(stranger.release(), fd);
  EXPECT_FALSE(stranger.is_open());
  EXPECT_FALSE(is_closed(fd));
  (void)sys::UniqueFd::adopt(fd);
  EXPECT_TRUE(is_closed(fd));
}

TEST(UniqueFdTest, ANegativeNumberMeansNone) {
  EXPECT_FALSE(sys::UniqueFd().is_open());
  EXPECT_FALSE(sys::UniqueFd::adopt(-1).is_open());
}

}  // namespace
}  // namespace echod::test
