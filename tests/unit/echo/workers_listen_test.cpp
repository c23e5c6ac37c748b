// A socket that one of several workers cannot register.
#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "echo/workers.hpp"
#include "scripted_syscalls.hpp"

namespace echod::test {
namespace {

constexpr std::uint32_t kAcceptEvents = EPOLLIN | EPOLLEXCLUSIVE | EPOLLET;
constexpr std::uint32_t kDatagramEvents = EPOLLIN | EPOLLET;
constexpr std::size_t kTwoWorkers = 2;

class WorkersListenTest : public testing::Test {
 protected:
  static std::shared_ptr<const sys::ListenSocket> stream(int fd) {
    auto socket = std::make_shared<sys::ListenSocket>();
    socket->fd = sys::UniqueFd::adopt(fd);
    return socket;
  }
  static std::shared_ptr<const sys::DatagramSocket> datagram(int fd) {
    auto socket = std::make_shared<sys::DatagramSocket>();
    socket->fd = sys::UniqueFd::adopt(fd);
    return socket;
  }

  ScriptedKernel kernel_;
  Workers workers_{kTwoWorkers, echo_settings(Config{}, 100, kTwoWorkers),
                   std::make_shared<spdlog::logger>("none"), WorkerEvents{}};
};

TEST_F(WorkersListenTest, IsGivenBackByAllOfThem) {
  const auto socket = stream(kFd);
  kernel_.expect_add(kFd, kAcceptEvents);
  kernel_.expect_add(kFd, kAcceptEvents, ENOSPC);
  EXPECT_THROW(workers_.listen(socket), std::system_error);
  EXPECT_EQ(socket.use_count(), 1);
}

TEST_F(WorkersListenTest, IsGivenBackByAllOfThemIfItIsAUdpSocket) {
  const DatagramSockets sockets{datagram(kFd), datagram(kOther)};
  kernel_.expect_add(kOther, kDatagramEvents, ENOSPC);
  EXPECT_THROW(workers_.listen(sockets, 0), std::system_error);
  EXPECT_EQ(sockets.front().use_count(), 1);
}

}  // namespace
}  // namespace echod::test
