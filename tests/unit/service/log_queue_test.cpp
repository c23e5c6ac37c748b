#include "service/log_queue.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "allocations.hpp"

namespace echod::test {
namespace {

constexpr std::size_t kQueueLines = 16;

void push(LogQueue& queue, const std::string& text) {
  queue.push({"test", spdlog::level::warn, text});
}

std::string pop(LogQueue& queue) {
  const auto line = queue.pop();
  return {line.payload.data(), line.payload.size()};
}

TEST(LogQueueTest, ReturnsLinesInOrderWithTimeAndLevel) {
  LogQueue queue(kQueueLines);
  EXPECT_TRUE(queue.empty());
  const spdlog::log_clock::time_point time{std::chrono::seconds(1'790'000'000)};
  queue.push({time, {}, "test", spdlog::level::err, "first"});
  push(queue, "");
  push(queue, "third");
  const auto line = queue.pop();
  EXPECT_EQ(line.time, time);
  EXPECT_EQ(line.level, spdlog::level::err);
  EXPECT_EQ(std::string(line.payload.data(), line.payload.size()), "first");
  EXPECT_EQ(pop(queue), "");
  EXPECT_EQ(pop(queue), "third");
  EXPECT_TRUE(queue.empty());
}

TEST(LogQueueTest, DropsTheOldestLinesWhenThereAreTooMany) {
  LogQueue queue(2);
  for (const char* const text : {"one", "two", "three"}) {
    push(queue, text);
  }
  EXPECT_EQ(queue.dropped_lines(), 1U);
  EXPECT_EQ(pop(queue), "two");
  EXPECT_EQ(pop(queue), "three");
}

TEST(LogQueueTest, DropsTheOldestLinesForALongOne) {
  LogQueue queue(kQueueLines);
  push(queue, "short");
  push(queue, std::string(10'000, 'a'));
  const std::string newest(LogQueue::kLongestText, 'b');
  push(queue, newest);
  EXPECT_EQ(queue.dropped_lines(), 2U);
  EXPECT_EQ(pop(queue), newest);
  EXPECT_TRUE(queue.empty());
}

TEST(LogQueueTest, CutsALineAtTheLongestText) {
  LogQueue queue(kQueueLines);
  push(queue, std::string(LogQueue::kLongestText + 1, 'x'));
  EXPECT_EQ(pop(queue), std::string(LogQueue::kLongestText, 'x'));
}

TEST(LogQueueTest, ReturnsWholeLinesFromEveryOffsetOfTheRing) {
  LogQueue queue(kQueueLines);
  std::string previous = "first";
  push(queue, previous);
  for (std::size_t length = 0; length < 3000; ++length) {
    std::string next = std::to_string(length) + std::string(length, 'x');
    push(queue, next);
    EXPECT_EQ(pop(queue), previous);
    previous = std::move(next);
  }
  EXPECT_EQ(queue.dropped_lines(), 0U);
}

TEST(LogQueueTest, KeepsAPoppedLineWhileOthersAreDropped) {
  LogQueue queue(1);
  push(queue, "popped");
  const auto line = queue.pop();
  push(queue, "dropped");
  push(queue, "newest");
  EXPECT_EQ(std::string(line.payload.data(), line.payload.size()), "popped");
}

TEST(LogQueueTest, NeedsNoMemory) {
  LogQueue queue(kQueueLines);
  const std::string text(LogQueue::kLongestText, 'x');
  const AllocationFailure none_left;
  for (int i = 0; i < 3; ++i) {
    queue.push({"test", spdlog::level::info, text});
    EXPECT_EQ(queue.pop().payload.size(), text.size());
  }
}

}  // namespace
}  // namespace echod::test
