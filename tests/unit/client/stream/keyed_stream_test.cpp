#include "client/stream/keyed_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <unordered_set>
#include <vector>

#include "seed.hpp"

namespace echod::client {
namespace {

constexpr std::uint64_t kPeriod = KeyedStream::kPeriod;
using Bytes = std::vector<std::byte>;

Bytes bytes_of(const KeyedStream& stream, std::uint64_t offset, std::size_t length) {
  Bytes bytes(length);
  stream.fill(bytes, offset);
  return bytes;
}

// Offsets near the ends of words, periods and epochs, and near 32 and 40 bits.
constexpr std::array<std::uint64_t, 9> kEnds{
    0,           8,           kPeriod,     2 * kPeriod,          KeyedStream::kEpochBytes,
    1ULL << 20U, 1ULL << 32U, 1ULL << 40U, 1'000'000'000'000'000};

TEST(KeyedStreamTest, FillWritesTheStreamBytesOfEachOffset) {
  std::mt19937_64 random(test::announce_seed());
  for (const std::uint64_t end : kEnds) {
    for (const std::size_t length : {1U, 7U, 8U, 9U, 63U, 1000U}) {
      const KeyedStream stream(static_cast<std::uint32_t>(random()));
      const std::uint64_t offset = end - std::min<std::uint64_t>(end, random() % 600);
      const Bytes bytes = bytes_of(stream, offset, length);
      for (std::size_t i = 0; i < length; ++i) {
        ASSERT_EQ(bytes[i], stream.at(offset + i)) << offset << " + " << i;
      }
    }
  }
}

TEST(KeyedStreamTest, ALongPieceEqualsItsPartsFilledSeparately) {
  std::mt19937_64 random(test::announce_seed());
  constexpr std::size_t kLength = 300'000;  // More than four periods.
  const KeyedStream stream(static_cast<std::uint32_t>(random()));
  const std::uint64_t offset = random() >> 20U;
  const Bytes whole = bytes_of(stream, offset, kLength);
  Bytes parts;
  while (parts.size() < kLength) {
    const std::size_t length = std::min<std::size_t>(kLength - parts.size(), 1 + random() % 90'000);
    const Bytes part = bytes_of(stream, offset + parts.size(), length);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(whole, parts);
  EXPECT_EQ(stream.count_matching(whole, offset), kLength);
}

TEST(KeyedStreamTest, FillWritesNothingOutsideItsBuffer) {
  const KeyedStream stream(3);
  for (std::size_t length = 0; length < 40; ++length) {
    Bytes bytes(50, std::byte{0xee});
    stream.fill(std::span(bytes).subspan(5, length), 1000);
    EXPECT_TRUE(std::all_of(bytes.begin(), bytes.begin() + 5,
                            [](std::byte byte) { return byte == std::byte{0xee}; }));
    EXPECT_TRUE(std::all_of(bytes.begin() + 5 + static_cast<std::ptrdiff_t>(length), bytes.end(),
                            [](std::byte byte) { return byte == std::byte{0xee}; }));
  }
}

TEST(KeyedStreamTest, CountMatchingFindsADifferenceAtEveryPosition) {
  std::mt19937_64 random(test::announce_seed());
  for (const std::size_t length : {1U, 8U, 255U, 256U, 257U, 600U}) {
    const KeyedStream stream(static_cast<std::uint32_t>(random()));
    const std::uint64_t offset = random() >> 20U;
    Bytes bytes = bytes_of(stream, offset, length);
    ASSERT_EQ(stream.count_matching(bytes, offset), length);
    for (std::size_t position = 0; position < length; ++position) {
      const std::byte flip{static_cast<unsigned char>(1U << random() % 8)};
      bytes[position] ^= flip;
      ASSERT_EQ(stream.count_matching(bytes, offset), position) << length;
      bytes[position] ^= flip;
    }
  }
}

TEST(KeyedStreamTest, CountMatchingFindsTheFirstOfManyDifferencesAtAnyAlignmentAndLength) {
  std::mt19937_64 random(test::announce_seed());
  for (int round = 0; round < 2000; ++round) {
    const KeyedStream stream(static_cast<std::uint32_t>(random()));
    const std::uint64_t offset =
        kEnds[random() % kEnds.size()] + random() % (round % 2 == 0 ? 1000 : kPeriod);
    const std::size_t length = 1 + random() % (round % 100 == 0 ? 250'000 : 3000);
    const std::size_t alignment = random() % 8;
    Bytes bytes(alignment + length);
    const std::span<std::byte> piece = std::span(bytes).subspan(alignment);
    stream.fill(piece, offset);
    ASSERT_EQ(stream.count_matching(piece, offset), length);
    std::size_t first = length;
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      const std::size_t position = random() % length;
      piece[position] = ~stream.at(offset + position);
      first = std::min(first, position);
    }
    ASSERT_EQ(stream.count_matching(piece, offset), first) << offset << ", " << length;
  }
}

TEST(KeyedStreamTest, CountMatchingDetectsAShiftOfOneByte) {
  const KeyedStream stream(11);
  const Bytes late = bytes_of(stream, 1, 100'000);
  EXPECT_LT(stream.count_matching(late, 0), 8U);
  EXPECT_EQ(stream.count_matching({}, 0), 0U);
}

TEST(KeyedStreamTest, ConnectionsDifferAtNearlyEveryOffset) {
  constexpr std::size_t kLength = 4096;
  std::mt19937_64 random(test::announce_seed());
  for (int round = 0; round < 200; ++round) {
    const auto one = static_cast<std::uint32_t>(random() % 1'000'000);
    const std::array<std::uint32_t, 4> others{one + 1, one + 65521, one ^ 1U,
                                              static_cast<std::uint32_t>(random() % 1'000'000)};
    const std::uint64_t offset = random() >> 24U;
    const Bytes bytes = bytes_of(KeyedStream(one), offset, kLength);
    for (const std::uint32_t other : others) {
      if (other == one) {
        continue;
      }
      const Bytes others_bytes = bytes_of(KeyedStream(other), offset, kLength);
      std::size_t same = 0;
      for (std::size_t i = 0; i < kLength; ++i) {
        same += bytes[i] == others_bytes[i] ? 1U : 0U;
      }
      // If the starts are equal, a few of the eight key bytes may be equal too.
      EXPECT_LT(same, kLength / 2) << one << " and " << other;
      EXPECT_LT(KeyedStream(one).count_matching(others_bytes, offset), 8U)
          << one << " and " << other;
    }
  }
}

TEST(KeyedStreamTest, NoEightBytesRepeatInAnEpochAndTheNextEpochDiffers) {
  const KeyedStream stream(5);
  const Bytes bytes = bytes_of(stream, 0, KeyedStream::kEpochBytes);
  std::unordered_set<std::uint64_t> seen;
  for (std::size_t offset = 0; offset + 8 <= KeyedStream::kEpochBytes; ++offset) {
    std::uint64_t word = 0;
    std::memcpy(&word, &bytes[offset], sizeof word);
    ASSERT_TRUE(seen.insert(word).second) << offset;
  }
  const Bytes next = bytes_of(stream, KeyedStream::kEpochBytes, 1000);
  EXPECT_LT(stream.count_matching(next, 0), 8U);
}

TEST(KeyedStreamTest, RunsWithDifferentSeedsHaveDifferentBytes) {
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    const Bytes bytes = bytes_of(KeyedStream(5, seed), 0, 64);
    EXPECT_EQ(KeyedStream(5, seed).count_matching(bytes, 0), 64U);
    EXPECT_LT(KeyedStream(5, seed + 1).count_matching(bytes, 0), 8U);
    EXPECT_LT(KeyedStream(6, seed).count_matching(bytes, 0), 8U);
  }
}

TEST(KeyedStreamTest, AllByteValuesAreEquallyFrequent) {
  const Bytes bytes = bytes_of(KeyedStream(8), 0, KeyedStream::kEpochBytes);
  std::array<int, 256> counts{};
  for (const std::byte byte : bytes) {
    ++counts[std::to_integer<std::size_t>(byte)];
  }
  // 2047 on average. Each byte of the block occurs with eight key bytes, so counts come in lumps.
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 1500);
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 2600);
}

// The key, computed from eight bytes and the block.
std::uint64_t key_of(const KeyedStream& stream, std::uint32_t epoch) {
  const std::uint64_t begin = epoch * KeyedStream::kEpochBytes;
  std::array<std::byte, KeyedStream::kKeyBytes> key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = stream.at(begin + i) ^ KeyedStream::block()[(stream.start() + i) % kPeriod];
  }
  return std::bit_cast<std::uint64_t>(key);
}

TEST(KeyedStreamTest, TheKeyIdentifiesTheConnectionAndTheEpoch) {
  std::mt19937_64 random(test::announce_seed());
  for (int round = 0; round < 20'000; ++round) {
    const auto connection = static_cast<std::uint32_t>(random());
    const auto seed = static_cast<std::uint32_t>(random());
    const auto epoch = static_cast<std::uint32_t>(random() % (1U << 20U));
    const auto owner = KeyedStream::owner_of(key_of(KeyedStream(connection, seed), epoch), seed);
    ASSERT_EQ(owner.connection, connection);
    ASSERT_EQ(owner.epoch, epoch);
  }
}

TEST(KeyedStreamTest, OtherKeysBelongToNoConnectionOfTheRun) {
  std::mt19937_64 random(test::announce_seed());
  const auto is_ours = [](const KeyedStream::KeyOwner& owner) {
    return owner.connection < 10'000'000 && owner.epoch < 1000;
  };
  for (int round = 0; round < 10'000; ++round) {
    ASSERT_FALSE(is_ours(KeyedStream::owner_of(random(), 0)));
    const std::uint64_t one_bit = std::uint64_t{1} << random() % 64;
    ASSERT_FALSE(is_ours(KeyedStream::owner_of(key_of(KeyedStream(7), 0) ^ one_bit, 0)));
    ASSERT_FALSE(is_ours(KeyedStream::owner_of(key_of(KeyedStream(7, 1), 0), 2)));
  }
}

}  // namespace
}  // namespace echod::client
