#include "client/sys/local_connection.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "files.hpp"
#include "local_socket.hpp"

namespace echod::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LocalConnectionTest : public testing::Test {
 protected:
  // Connects until the accept queue is full.
  void fill_queue() {
    while (true) {
      sys::LocalConnection connection = sys::connect_local(path_);
      if (connection.error != 0) {
        ASSERT_EQ(connection.error, EAGAIN);
        return;
      }
      waiting_.push_back(std::move(connection.fd));
    }
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("socket");
  std::vector<sys::UniqueFd> waiting_;
};

TEST_F(LocalConnectionTest, ConnectsToAListeningSocket) {
  const sys::UniqueFd listener = bound_to_path(path_);
  const sys::LocalConnection connection = sys::connect_local_within(path_, seconds(5));
  EXPECT_EQ(connection.error, 0);
  EXPECT_TRUE(connection.fd.is_open());
}

TEST_F(LocalConnectionTest, WaitsForAFreePlaceInTheAcceptQueue) {
  const sys::UniqueFd listener = bound_to_path(path_, 1);
  fill_queue();
  std::thread server([&listener] {
    (void)sys::UniqueFd::adopt(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  });
  EXPECT_EQ(sys::connect_local_within(path_, seconds(30)).error, 0);
  server.join();
}

TEST_F(LocalConnectionTest, AQueueThatStaysFullEndsTheWaitAfterItsTime) {
  const sys::UniqueFd listener = bound_to_path(path_, 1);
  fill_queue();
  const sys::TimePoint begin = sys::MonotonicClock::now();
  const sys::LocalConnection connection = sys::connect_local_within(path_, milliseconds(20));
  EXPECT_EQ(connection.error, EAGAIN);
  EXPECT_FALSE(connection.fd.is_open());
  EXPECT_GE(sys::MonotonicClock::now() - begin, milliseconds(20));
}

TEST_F(LocalConnectionTest, OtherErrorsEndTheWaitAtOnce) {
  EXPECT_EQ(sys::connect_local_within(path_, seconds(600)).error, ENOENT);
  const sys::UniqueFd silent = bound_to_path(path_, -1);
  EXPECT_EQ(sys::connect_local_within(path_, seconds(600)).error, ECONNREFUSED);
  EXPECT_EQ(sys::connect_local_within(std::string(108, 'x'), seconds(600)).error, ENAMETOOLONG);
}

}  // namespace
}  // namespace echod::test
