// Connections are spread evenly over workers, however they come and go.
#include <algorithm>
#include <random>

#include "daemon_test.hpp"
#include "descriptors.hpp"
#include "one_cpu.hpp"
#include "seed.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kManyClients = kSanitized ? 1000 : 10'000;

class SpreadingTest : public DaemonTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    if (!can_hold(kManyClients)) {
      GTEST_SKIP() << "needs descriptors for " << kManyClients << " connections (ulimit -Hn)";
    }
    start("workers = " + std::to_string(GetParam()) + "\n[log]\nfile_level = \"info\"\n");
  }

  void connect_one_by_one(std::size_t connections) {
    while (peers_.size() < connections) {
      peers_.push_back(connect());
      ASSERT_TRUE(peers_.back().echoes("hello"));
    }
  }
  // All those that the backlog holds wait when the daemon looks.
  void connect_in_bursts(std::size_t connections) {
    constexpr std::size_t kBurst = kManyClients / 10;
    while (peers_.size() < connections) {
      daemon().freeze();
      for (std::size_t i = 0; i < kBurst && peers_.size() < connections; ++i) {
        peers_.push_back(connect());
      }
      daemon().thaw();
      daemon().expect_counter("connections", peers_.size());
    }
  }
  void close_half() {
    std::mt19937_64 random(announce_seed());
    std::shuffle(peers_.begin(), peers_.end(), random);
    peers_.erase(peers_.begin() + static_cast<std::ptrdiff_t>(peers_.size() / 2), peers_.end());
    daemon().expect_counter("connections", peers_.size());
  }
  void expect_even() {
    const double mean = static_cast<double>(peers_.size()) / GetParam();
    const double skew =
        static_cast<double>(daemon().counter("connections_of_fullest_worker")) / mean;
    std::cout << GetParam() << " workers, the fullest has " << skew << " times the mean"
              << std::endl;
    EXPECT_GE(skew, 1.0);
    // A worker that cannot run for 100 ms is skipped, which happens where a sanitizer slows all.
    EXPECT_LE(skew, kSanitized ? 1.2 : 1.06);
  }
  void TearDown() override {
    peers_.clear();
    DaemonTest::TearDown();
  }

  std::vector<TcpPeer> peers_;
};

TEST_P(SpreadingTest, OneByOne) {
  connect_one_by_one(kManyClients);
  expect_even();
}

TEST_P(SpreadingTest, InBursts) {
  connect_in_bursts(kManyClients);
  expect_even();
}

TEST_P(SpreadingTest, WhenHalfOfThemAreClosedAndComeAgain) {
  connect_in_bursts(kManyClients);
  close_half();
  connect_in_bursts(kManyClients);
  expect_even();
  close_half();
  connect_one_by_one(kManyClients);
  expect_even();
}

TEST_P(SpreadingTest, AFewToo) {
  connect_one_by_one(4 * static_cast<std::size_t>(GetParam()));
  const std::uint64_t fullest = daemon().counter("connections_of_fullest_worker");
  EXPECT_GE(fullest, 4U);
  EXPECT_LE(fullest, kSanitized ? 5U : 4U);  // As in expect_even().
}

INSTANTIATE_TEST_SUITE_P(Workers, SpreadingTest, testing::Values(2, 4, 8));

class WorkerCountTest : public DaemonTest {};

TEST_F(WorkerCountTest, AreAsManyAsTheKeySays) {
  start("workers = 5\n");
  daemon().expect_counter("workers", 5);
  EXPECT_NE(daemon().wait_for_log("limits: ").find("; 5 workers"), std::string::npos);
}

TEST_F(WorkerCountTest, OfMoreThanTheBuffersAreForIsWarnedAboutAndServesAllTheSame) {
  start("workers = 8\n[buffers]\ntotal_mib = 1\nper_connection_kib = 256\n");
  daemon().expect_log("buffers.total_mib leaves 128 KiB to each of 8 workers");
  EXPECT_TRUE(connect().echoes(std::string(100'000, 'x')));
}

TEST_F(WorkerCountTest, AreAsManyAsTheCpusTheyMayUse) {
  const cpu_set_t cpus = allowed_cpus();
  start();
  daemon().expect_counter("workers", static_cast<std::uint64_t>(CPU_COUNT(&cpus)));
  daemon().finish();
  const OneCpu one;  // Inherited by the daemon.
  start();
  daemon().expect_counter("workers", 1);
  EXPECT_NE(daemon().wait_for_log("limits: ").find("; 1 worker"), std::string::npos);
}

}  // namespace
}  // namespace echod::test
