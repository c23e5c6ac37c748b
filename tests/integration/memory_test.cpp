// Ten thousand idle connections: what each costs in user memory, and what they cost in CPU time.
#include "daemon_test.hpp"
#include "descriptors.hpp"
#include "files.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kFew = 1000;
constexpr std::size_t kMany = 10'000;

class MemoryTest : public DaemonTest {
 protected:
  void SetUp() override {
    if (kSanitized) {
      GTEST_SKIP() << "sanitizers have a memory of their own";
    }
    if (!can_hold(kMany)) {
      GTEST_SKIP() << "needs descriptors for " << kMany << " connections (ulimit -Hn)";
    }
    start("[log]\nfile_level = \"info\"\n");
  }

  // Connects until there are so many, each touched once with an echo.
  void hold(std::size_t connections) {
    while (peers_.size() < connections) {
      peers_.push_back(connect());
      ASSERT_TRUE(peers_.back().echoes("touched"));
    }
  }

  void TearDown() override {
    peers_.clear();
    DaemonTest::TearDown();
  }

  std::vector<TcpPeer> peers_;
};

TEST_F(MemoryTest, AnIdleConnectionTakesAtMost128Bytes) {
  const std::uint64_t at_start = daemon().memory().private_dirty_bytes;
  hold(kFew);
  const std::uint64_t with_few = daemon().memory().private_dirty_bytes;
  hold(kMany);
  const std::uint64_t with_many = daemon().memory().private_dirty_bytes;
  const double slope = static_cast<double>(with_many - with_few) / (kMany - kFew);
  std::cout << "private dirty memory: " << at_start / 1024 << " KiB at the start, "
            << with_few / 1024 << " KiB with " << kFew << ", " << with_many / 1024 << " KiB with "
            << kMany << " connections: " << slope << " bytes each" << std::endl;
  EXPECT_LE(slope, 128.0);
  daemon().expect_counter("buffered_bytes", 0);
}

TEST_F(MemoryTest, ComesInSmallPages) {
  const std::string status = read_file("/proc/" + std::to_string(daemon().pid()) + "/status");
  EXPECT_NE(status.find("THP_enabled:\t0\n"), std::string::npos) << status;
}

TEST_F(MemoryTest, IdleConnectionsTakeNextToNoCpuTime) {
  hold(kMany);
  const auto before = daemon().cpu_time();
  ASSERT_GT(before, std::chrono::milliseconds(1)) << "the time of its echoes so far";
  // The time that is measured. All that is done at intervals is in it: the sweep for timeouts every
  // 10 s, the first of which asks the kernel about each connection that had an echo.
  constexpr std::chrono::seconds kMeasured{30};
  std::this_thread::sleep_for(kMeasured);
  const std::chrono::duration<double> used = daemon().cpu_time() - before;
  std::cout << "CPU at rest with " << kMany
            << " connections: " << 100 * used / std::chrono::duration<double>(kMeasured) << " %"
            << std::endl;
  EXPECT_LT(used, 3 * kMeasured / 1000.0) << "0.3 %: a slow machine beside other tests takes 0.1 %";
}

TEST_F(MemoryTest, WhatConnectionsTookIsUsedAgain) {
  hold(kFew);
  const std::uint64_t once = daemon().memory().private_dirty_bytes;
  for (int round = 0; round < 5; ++round) {
    peers_.clear();
    wait_until("all to be closed", [this] { return daemon().counter("connections") == 0; });
    hold(kFew);
  }
  constexpr std::uint64_t kSlack = 256 * 1024;
  EXPECT_LE(daemon().memory().private_dirty_bytes, once + kSlack);
}

}  // namespace
}  // namespace echod::test
