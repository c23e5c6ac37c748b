#include "echo/pipe_pool.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "allocations.hpp"
#include "scripted_syscalls.hpp"
#include "sys/clock.hpp"
#include "telemetry/counters.hpp"

namespace echod::test {
namespace {

constexpr int kSocket = 50;
constexpr std::size_t kPipeBytes = 64;
const std::string kBulk = "0123456789abcdef";

class PipePoolTest : public testing::Test {
 protected:
  PipePoolTest() { pool_.set_limits(2, kPipeBytes); }

  [[nodiscard]] PooledPipe* round_pipe() { return pool_.round_pipe(sys::MonotonicClock::now()); }
  [[nodiscard]] ReplyPtr detached() {
    EXPECT_NE(round_pipe(), nullptr);
    return pool_.detach_round_pipe();
  }

  ScriptedKernel kernel_;
  Counters counters_;
  PipePool pool_{counters_};
};

TEST_F(PipePoolTest, OpensAPipeWhenItIsNeededAndUsesItForEachRound) {
  EXPECT_EQ(kernel_.open_pipes(), 0U);
  PooledPipe* const pipe = round_pipe();
  ASSERT_NE(pipe, nullptr);
  EXPECT_EQ(round_pipe(), pipe);
  EXPECT_EQ(kernel_.open_pipes(), 1U);
}

TEST_F(PipePoolTest, HasNoMorePipesThanAllowed) {
  const ReplyPtr first = detached();
  ReplyPtr second = detached();
  EXPECT_EQ(round_pipe(), nullptr);
  EXPECT_EQ(counters_.get(Counter::splice_no_pipe), 1U);
  PooledPipe* const back = static_cast<PooledPipe*>(second.get());
  second.reset();
  EXPECT_EQ(round_pipe(), back);
}

TEST_F(PipePoolTest, APipeThatHoldsBytesIsClosed) {
  kernel_.expect_splice_in(kSocket, kBulk);
  EXPECT_EQ(round_pipe()->fill(kSocket, kPipeBytes).count(), kBulk.size());
  pool_.detach_round_pipe().reset();
  EXPECT_EQ(kernel_.open_pipes(), 0U);
  EXPECT_EQ(pool_.open_pipes(), 0U);
}

TEST_F(PipePoolTest, APipeOfAnotherSizeIsClosedWhenItComesBack) {
  ReplyPtr small = detached();
  pool_.set_limits(2, 2 * kPipeBytes);
  small.reset();
  EXPECT_EQ(kernel_.open_pipes(), 0U);
  EXPECT_NE(round_pipe(), nullptr);
}

// The program that made it may have asked for another size.
TEST_F(PipePoolTest, ARestoredPipeIsClosedWhenItIsEmpty) {
  ReplyPtr restored = pool_.restore(80, 81, 0);
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(pool_.open_pipes(), 1U);
  restored.reset();
  EXPECT_EQ(pool_.open_pipes(), 0U);
  EXPECT_TRUE(kernel_.was_closed(80));
  EXPECT_TRUE(kernel_.was_closed(81));
}

TEST_F(PipePoolTest, WithoutMemoryTheCallerKeepsThePipeToRestore) {
  const AllocationFailure no_memory;
  EXPECT_EQ(pool_.restore(80, 81, 5), nullptr);
  EXPECT_FALSE(kernel_.was_closed(80));
  EXPECT_EQ(pool_.open_pipes(), 0U);
}

TEST_F(PipePoolTest, APipeThatIsTooSmallIsClosedAndTheNextAttemptIsLater) {
  kernel_.set_pipe_room(kPipeBytes - 1);
  EXPECT_EQ(round_pipe(), nullptr);
  EXPECT_EQ(counters_.get(Counter::splice_pipe_too_small), 1U);
  EXPECT_EQ(kernel_.open_pipes(), 0U);
  kernel_.set_pipe_room(kPipeBytes);
  kernel_.advance(PipePool::kRetryInterval - std::chrono::nanoseconds(1));
  EXPECT_EQ(round_pipe(), nullptr);
  kernel_.advance(std::chrono::nanoseconds(1));
  EXPECT_NE(round_pipe(), nullptr);
  EXPECT_EQ(counters_.get(Counter::splice_no_pipe), 2U);
}

}  // namespace
}  // namespace echod::test
