#include "client/datagram/datagram_format.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace echod::test {
namespace {

using client::DatagramFormat;
using client::DatagramId;

constexpr std::uint32_t kSeed = 7;
constexpr std::size_t kHeader = DatagramFormat::kHeaderBytes;

std::vector<std::byte> datagram(const DatagramId& id, std::size_t size) {
  std::vector<std::byte> bytes(size);
  DatagramFormat(kSeed).fill(bytes, id);
  return bytes;
}

TEST(DatagramFormatTest, TheHeaderTellsWhichDatagramItIs) {
  for (const DatagramId& id :
       {DatagramId{0, 0}, DatagramId{3, 1}, DatagramId{UINT32_MAX, 1ULL << 40}}) {
    for (const std::size_t size : {kHeader, kHeader + 1, std::size_t{65507}}) {
      const auto bytes = datagram(id, size);
      EXPECT_EQ(DatagramFormat(kSeed).id_of(bytes), id);
      EXPECT_EQ(DatagramFormat(kSeed).count_matching(bytes, id), size);
    }
  }
}

TEST(DatagramFormatTest, ShortDatagramsHaveNoHeaderAndCanBeCompared) {
  for (std::size_t size = 0; size < kHeader; ++size) {
    const auto bytes = datagram({.socket = 3, .number = 9}, size);
    EXPECT_FALSE(DatagramFormat(kSeed).id_of(bytes));
    EXPECT_EQ(DatagramFormat(kSeed).count_matching(bytes, {.socket = 3, .number = 9}), size);
  }
}

TEST(DatagramFormatTest, EachFlippedBitIsFound) {
  const DatagramId id{.socket = 3, .number = 1000};
  const auto right = datagram(id, 40);
  for (std::size_t i = 0; i < right.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto wrong = right;
      wrong[i] ^= std::byte{1} << bit;
      EXPECT_EQ(DatagramFormat(kSeed).count_matching(wrong, id), i);
      if (i < kHeader) {
        EXPECT_FALSE(DatagramFormat(kSeed).id_of(wrong)) << i << ' ' << bit;
      }
    }
  }
}

TEST(DatagramFormatTest, DatagramsOfAnotherRunAreNotRecognized) {
  const auto bytes = datagram({.socket = 3, .number = 1}, 64);
  EXPECT_FALSE(DatagramFormat(kSeed + 1).id_of(bytes));
  EXPECT_FALSE(DatagramFormat(kSeed).id_of(std::vector<std::byte>(64)));
}

TEST(DatagramFormatTest, NoTwoDatagramsAreEqual) {
  std::set<std::vector<std::byte>> bodies;
  std::size_t made = 0;
  for (std::uint32_t socket = 0; socket < 20; ++socket) {
    for (std::uint64_t number = 0; number < 200; ++number, ++made) {
      const auto bytes = datagram({.socket = socket, .number = number}, kHeader + 32);
      bodies.emplace(bytes.begin() + kHeader, bytes.end());
    }
  }
  EXPECT_EQ(bodies.size(), made) << "also without their headers";
}

}  // namespace
}  // namespace echod::test
