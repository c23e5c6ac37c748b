#include "echo/buffer_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "allocations.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kBlock = 4096;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(BufferPoolTest, ReadsGoToTheSameBlockUntilItIsTaken) {
  BufferPool pool(kBlock, 4 * kBlock);
  Block* const block = pool.reading_block();
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block->memory().size(), kBlock);
  EXPECT_EQ(pool.reading_block(), block);
  EXPECT_EQ(pool.bytes_held(), 0U);
  const auto taken = pool.detach_reading_block();
  EXPECT_EQ(taken.get(), block);
  EXPECT_EQ(pool.bytes_held(), kBlock);
  EXPECT_NE(pool.reading_block(), block);
}

TEST(BufferPoolTest, OwedBytesAreAWindowThatShrinksFromItsFront) {
  BufferPool pool(kBlock, kBlock);
  Block* const block = pool.reading_block();
  ASSERT_NE(block, nullptr);
  std::memcpy(block->memory().data(), "0123456789", 10);
  block->hold(2, 10);
  EXPECT_EQ(text_of(block->owed()), "23456789");
  block->consume(3);
  EXPECT_EQ(text_of(block->owed()), "56789");
  block->consume(5);
  EXPECT_TRUE(block->owed().empty());
}

TEST(BufferPoolTest, TheBoundHoldsForTakenBlocksAndTheReadingBlockTogether) {
  BufferPool pool(kBlock, 2 * kBlock + 100);
  std::vector<ReplyPtr> taken;
  for (int i = 0; i < 2; ++i) {
    ASSERT_NE(pool.reading_block(), nullptr);
    taken.push_back(pool.detach_reading_block());
  }
  EXPECT_EQ(pool.reading_block(), nullptr);
  taken.pop_back();
  EXPECT_NE(pool.reading_block(), nullptr);
  EXPECT_EQ(pool.bytes_held(), kBlock);
}

TEST(BufferPoolTest, ABoundBelowOneBlockMeansNoBlocks) {
  BufferPool pool(kBlock, kBlock - 1);
  EXPECT_EQ(pool.reading_block(), nullptr);
}

TEST(BufferPoolTest, WithoutMemoryThereIsNoBlockAndLaterThereIs) {
  BufferPool pool(kBlock, kBlock);
  {
    const AllocationFailure no_memory;
    EXPECT_EQ(pool.reading_block(), nullptr);
  }
  EXPECT_NE(pool.reading_block(), nullptr);
}

TEST(BufferPoolTest, BlocksThatComeBackAreUsedAgainWithoutAnAllocation) {
  BufferPool pool(kBlock, 8 * kBlock);
  for (int warm_up = 0; warm_up < 2; ++warm_up) {
    (void)pool.reading_block();
    const auto taken = pool.detach_reading_block();
    (void)pool.reading_block();
  }
  const std::uint64_t before = allocations();
  for (int i = 0; i < 100; ++i) {
    ASSERT_NE(pool.reading_block(), nullptr);
    const auto taken = pool.detach_reading_block();
    ASSERT_NE(pool.reading_block(), nullptr);
  }
  EXPECT_EQ(allocations(), before);
}

TEST(BufferPoolTest, OfManyBlocksThatComeBackOnlyAFewAreKept) {
  constexpr std::size_t kMany = 64;
  constexpr std::size_t kMostKept = 16;
  BufferPool pool(kBlock, kMany * kBlock);
  const auto take_many = [&pool] {
    std::vector<ReplyPtr> taken;
    taken.reserve(kMany);
    const std::uint64_t before = allocations();
    for (std::size_t i = 0; i < kMany; ++i) {
      EXPECT_NE(pool.reading_block(), nullptr);
      taken.push_back(pool.detach_reading_block());
    }
    return allocations() - before;
  };
  EXPECT_EQ(take_many(), kMany);
  EXPECT_EQ(take_many(), kMany - kMostKept);
  EXPECT_EQ(pool.bytes_held(), 0U);
}

TEST(BufferPoolTest, NewLimitsHoldAtOnceAndOldBlocksComeBackAsTheyAre) {
  BufferPool pool(kBlock, 4 * kBlock);
  Block* const reading = pool.reading_block();
  ASSERT_NE(reading, nullptr);
  reading->hold(0, kBlock);
  auto old = pool.detach_reading_block();
  pool.set_limits(2 * kBlock, 4 * kBlock);
  EXPECT_EQ(old->size(), kBlock);
  Block* const fresh = pool.reading_block();
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(fresh->memory().size(), 2 * kBlock);
  const auto taken = pool.detach_reading_block();
  EXPECT_EQ(pool.bytes_held(), 3 * kBlock);
  EXPECT_EQ(pool.reading_block(), nullptr);
  old.reset();
  EXPECT_EQ(pool.bytes_held(), 2 * kBlock);
  EXPECT_EQ(pool.reading_block()->memory().size(), 2 * kBlock);
}

TEST(BufferPoolTest, ABoundThatSinksBelowWhatIsTakenStopsNewBlocksUntilThoseComeBack) {
  BufferPool pool(kBlock, 4 * kBlock);
  ASSERT_NE(pool.reading_block(), nullptr);
  auto taken = pool.detach_reading_block();
  pool.set_limits(kBlock, kBlock);
  EXPECT_EQ(pool.reading_block(), nullptr);
  taken.reset();
  EXPECT_NE(pool.reading_block(), nullptr);
}

}  // namespace
}  // namespace echod::test
