// What an echo costs: one recv, one send, a share of one epoll_wait, and no allocation. One recv in
// 64 is a recvmsg, which also gives the time of arrival.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "daemon_test.hpp"
#include "strace.hpp"
#include "strace_table.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kConnections = 64;
constexpr std::size_t kRounds = 100;
constexpr std::uint64_t kEchoes = kConnections * kRounds;
constexpr std::uint64_t kSlack = kEchoes / 50;

class SyscallsTest : public DaemonTest {
 protected:
  void connect_all() {
    for (std::size_t i = 0; i < kConnections; ++i) {
      peers_.push_back(connect());
      ASSERT_TRUE(peers_.back().echoes("ready"));
    }
  }

  // All 64 at once, again and again.
  void ping_all(std::size_t rounds) {
    const std::string ping(64, 'p');
    for (std::size_t round = 0; round < rounds; ++round) {
      for (TcpPeer& peer : peers_) {
        peer.send_all(ping);
      }
      for (TcpPeer& peer : peers_) {
        ASSERT_EQ(peer.receive_exactly(ping.size()), ping);
      }
    }
  }

  void TearDown() override {
    peers_.clear();
    DaemonTest::TearDown();
  }

  std::vector<TcpPeer> peers_;
};

TEST_F(SyscallsTest, AnEchoTakesOneRecvOneSendAndAShareOfOneEpollWait) {
  if (!is_installed("strace") || kSanitized) {
    GTEST_SKIP() << "needs strace (scripts/test installs it), and a build without sanitizers";
  }
  start();
  connect_all();
  const std::string table = daemon().directory().file("strace");
  const auto strace = attach_strace(daemon().pid(), {"-c", "-o", table});
  if (!strace) {
    GTEST_SKIP() << "strace may not attach here";
  }
  ping_all(kRounds);
  strace->signal(SIGINT);
  ASSERT_TRUE(strace->wait().has_value());
  auto calls = parse_strace_table(read_file(table));
  const std::uint64_t waits = calls["epoll_wait"] + calls["epoll_pwait"];
  const std::uint64_t reads = calls["recvfrom"] + calls["recvmsg"];
  std::cout << kEchoes << " echoes: " << calls["recvfrom"] << " recv, " << calls["recvmsg"]
            << " recvmsg, " << calls["sendto"] << " send, " << waits << " epoll_wait, "
            << calls["epoll_ctl"] << " epoll_ctl" << std::endl;
  EXPECT_GE(reads, kEchoes - kSlack) << read_file(table);
  EXPECT_LE(reads, kEchoes + kSlack) << "a short read stands for EAGAIN";
  EXPECT_GE(calls["recvmsg"], kEchoes / 64 / 2);
  EXPECT_LE(calls["recvmsg"], kEchoes / 64 * 2);
  EXPECT_GE(calls["sendto"], kEchoes - kSlack);
  EXPECT_LE(calls["sendto"], kEchoes + kSlack);
  EXPECT_LE(waits, kEchoes);
  EXPECT_EQ(calls["epoll_ctl"], 0U);
  EXPECT_LE(calls["brk"] + calls["mmap"] + calls["munmap"] + calls["futex"], 10U);
}

// tests/support/allocation_counter.cpp stands in for the allocator and counts into a shared file.
TEST_F(SyscallsTest, AnEchoAllocatesNothing) {
  if (kSanitized) {
    GTEST_SKIP() << "sanitizers bring an allocator of their own";
  }
  const TemporaryDirectory directory;
  const std::string path = directory.file("count");
  write_file(path, std::string(sizeof(std::uint64_t), '\0'));
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  void* const page = mmap(nullptr, sizeof(std::uint64_t), PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(page, MAP_FAILED);
  const auto* const allocations = static_cast<const std::atomic<std::uint64_t>*>(page);
  start(DaemonOptions{
      .environment = {"LD_PRELOAD=" ECHOD_ALLOCATION_COUNTER, "ECHOD_ALLOCATION_COUNT=" + path}});
  ASSERT_GT(allocations->load(), 0U) << "the counter is not in place";
  connect_all();
  ping_all(10);
  const std::uint64_t before = allocations->load();
  ping_all(kRounds);
  EXPECT_EQ(allocations->load(), before) << kEchoes << " echoes";
  ASSERT_EQ(munmap(page, sizeof(std::uint64_t)), 0);
  ASSERT_EQ(close(fd), 0);
}

}  // namespace
}  // namespace echod::test
