// Damages streams like a broken server, at random positions, and checks that identify() names the
// fault from the received bytes alone.
#include "client/stream/origin.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "client/stream/keyed_stream.hpp"
#include "deadline.hpp"
#include "seed.hpp"

namespace echod::client {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kConnections = 1'000'000;
constexpr int kRounds = test::kSanitized ? 15 : 150;
// Enough bytes to identify any of these streams (identifying_bytes()).
constexpr std::size_t kAlwaysTelling = kMinIdentifyingBytes + 4;

// What a connection sent, and what it received.
class OriginTest : public testing::Test {
 protected:
  // Starts with `length` bytes at a random offset of a random connection, all sent and received.
  void begin(std::size_t length) {
    connection_ = static_cast<std::uint32_t>(random_() % kConnections);
    begin_ = away_from_epoch_ends(random_() >> (24 + random_() % 40));
    received_.resize(length);
    KeyedStream(connection_).fill(received_, begin_);
    sent_ = begin_ + length;
  }

  [[nodiscard]] auto at(std::size_t position) {
    return received_.begin() + static_cast<std::ptrdiff_t>(position);
  }
  void lose(std::size_t position, std::size_t length) {
    received_.erase(at(position), at(position + length));
  }
  // Bytes across the end of an epoch have no origin.
  static std::uint64_t away_from_epoch_ends(std::uint64_t offset) {
    constexpr std::uint64_t kMargin = 16384;
    const std::uint64_t within = offset % KeyedStream::kEpochBytes;
    return within < kMargin                              ? offset + kMargin
           : within + kMargin > KeyedStream::kEpochBytes ? offset - kMargin
                                                         : offset;
  }
  // What is before `position` comes again.
  void duplicate(std::size_t position, std::size_t length) {
    const Bytes again(at(position - length), at(position));
    received_.insert(at(position), again.begin(), again.end());
  }
  void insert_at(std::size_t position, const Bytes& bytes) {
    received_.insert(at(position), bytes.begin(), bytes.end());
  }

  // The evidence that LoadConnection would keep: the bytes from the first wrong one on.
  Fault identified(std::size_t most = 4096) {
    const std::size_t owed =
        std::min<std::size_t>(received_.size(), static_cast<std::size_t>(sent_ - begin_));
    right_ = KeyedStream(connection_).count_matching(std::span(received_).first(owed), begin_);
    const auto wrong = std::span<const std::byte>(received_).subspan(right_);
    EXPECT_FALSE(wrong.empty());
    return identify({.connection = connection_,
                     .offset = begin_ + right_,
                     .sent = sent_,
                     .bytes = wrong.first(std::min(wrong.size(), most))},
                    kConnections);
  }
  // Checks that apply to every fault.
  void expect_place(const Fault& fault) {
    EXPECT_EQ(fault.connection, connection_);
    EXPECT_EQ(fault.offset, begin_ + right_);
    EXPECT_EQ(fault.got, received_[right_]);
    if (fault.offset < sent_) {
      EXPECT_EQ(fault.expected, KeyedStream(connection_).at(fault.offset));
      EXPECT_NE(fault.expected, fault.got);
    } else {
      EXPECT_EQ(fault.expected, std::nullopt);
    }
  }
  std::size_t random_between(std::size_t least, std::size_t most) {
    return least + random_() % (most - least + 1);
  }
  Bytes random_bytes(std::size_t length) {
    Bytes bytes(length);
    std::generate(bytes.begin(), bytes.end(), [this] { return static_cast<std::byte>(random_()); });
    return bytes;
  }

  std::mt19937_64 random_{test::announce_seed()};
  std::uint32_t connection_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t sent_ = 0;
  std::size_t right_ = 0;
  Bytes received_;
};

TEST_F(OriginTest, TheOriginOfAnyPartOfAnyStreamIsFound) {
  for (int round = 0; round < kRounds; ++round) {
    begin(random_between(kAlwaysTelling, 100));
    EXPECT_EQ(origin_of(received_, {.connections = kConnections, .longest = sent_}),
              (Origin{.connection = connection_, .offset = begin_}))
        << connection_ << ", " << begin_ << ", " << received_.size();
    EXPECT_EQ(origin_of(received_, {.connections = connection_, .longest = sent_}), std::nullopt)
        << "there is no such connection";
  }
}

TEST_F(OriginTest, RandomBytesHaveNoOrigin) {
  for (int round = 0; round < kRounds; ++round) {
    EXPECT_EQ(origin_of(random_bytes(random_between(kMinIdentifyingBytes, 64)),
                        {.connections = kConnections}),
              std::nullopt);
  }
  EXPECT_EQ(origin_of(Bytes(64), {.connections = kConnections}), std::nullopt);
  EXPECT_EQ(origin_of(Bytes(64, std::byte{0xff}), {.connections = kConnections}), std::nullopt);
}

TEST_F(OriginTest, TooFewBytesHaveNoOrigin) {
  begin(kMinIdentifyingBytes - 1);
  EXPECT_EQ(origin_of(received_, {.connections = kConnections, .longest = sent_}), std::nullopt);
  EXPECT_EQ(origin_of({}, {.connections = kConnections}), std::nullopt);
}

TEST_F(OriginTest, MoreStreamsNeedMoreBytesToIdentify) {
  EXPECT_EQ(identifying_bytes({.connections = 63, .longest = std::uint64_t{255} << 20}),
            kMinIdentifyingBytes);
  EXPECT_EQ(identifying_bytes({.connections = 64, .longest = std::uint64_t{255} << 20}),
            kMinIdentifyingBytes + 1);
  EXPECT_EQ(identifying_bytes({.connections = kConnections, .longest = std::uint64_t{1} << 40}),
            kAlwaysTelling);
  begin(kAlwaysTelling);
  const CandidateStreams streams{.connections = kConnections, .longest = std::uint64_t{1} << 40};
  EXPECT_NE(origin_of(received_, streams), std::nullopt);
  EXPECT_EQ(origin_of(std::span(received_).first(kAlwaysTelling - 1), streams), std::nullopt);
}

TEST_F(OriginTest, LostBytesAreCounted) {
  for (int round = 0; round < kRounds; ++round) {
    for (const std::size_t lost : {std::size_t{1}, std::size_t{64}, random_between(2, 4000)}) {
      begin(10'000);
      lose(random_between(0, 5000), lost);
      const Fault fault = identified();
      EXPECT_EQ(name_of(fault.error), "lost") << text_of(fault);
      EXPECT_EQ(fault.bytes, lost);
      expect_place(fault);
    }
  }
}

TEST_F(OriginTest, ALostMessageIsDetectedFromTheNextMessageAlone) {
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t size = random_between(kMinIdentifyingBytes + 8, 100);
    begin(2 * size);
    lose(0, size);
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "lost") << text_of(fault);
    EXPECT_EQ(fault.bytes, size);
  }
}

TEST_F(OriginTest, ChunksThatArriveTwiceAreDuplicated) {
  for (int round = 0; round < kRounds; ++round) {
    for (const std::size_t twice : {std::size_t{1}, std::size_t{64}, random_between(2, 4000)}) {
      begin(10'000);
      duplicate(random_between(twice, 5000), twice);
      const Fault fault = identified();
      EXPECT_EQ(name_of(fault.error), "duplicated") << text_of(fault);
      EXPECT_EQ(fault.bytes, twice);
      expect_place(fault);
    }
  }
}

TEST_F(OriginTest, ARepeatedLastMessageIsDuplicatedThoughNothingMoreWasSent) {
  begin(640);
  duplicate(640, 64);
  const Fault fault = identified();
  EXPECT_EQ(name_of(fault.error), "duplicated");
  EXPECT_EQ(fault.bytes, 64U);
  EXPECT_EQ(fault.offset, sent_);
  expect_place(fault);
}

TEST_F(OriginTest, SwappedChunksAreReordered) {
  for (int round = 0; round < kRounds; ++round) {
    // Needs twelve wrong bytes in a row, and the first few may be right by chance.
    const std::size_t first = random_between(16, round % 2 == 0 ? 40 : 1500);
    const std::size_t second = random_between(16, round % 2 == 0 ? 40 : 1500);
    begin(5000);
    const std::size_t position = random_between(0, 1500);
    std::rotate(at(position), at(position + first), at(position + first + second));
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "reordered") << text_of(fault) << ' ' << first << ' ' << second;
    EXPECT_EQ(fault.bytes, first);
    expect_place(fault);
  }
}

TEST_F(OriginTest, BytesOfAnotherConnectionAreCrossedWithItsNumberAndOffset) {
  for (int round = 0; round < kRounds; ++round) {
    begin(1000);
    const auto other = static_cast<std::uint32_t>(random_() % kConnections);
    const std::uint64_t offset = away_from_epoch_ends(random_() % (2 * begin_ + 1));
    Bytes others_bytes(random_between(16, 100));
    KeyedStream(other).fill(others_bytes, offset);
    const std::size_t position = random_between(0, 900);
    std::copy(others_bytes.begin(), others_bytes.end(), at(position));
    const Fault fault = identified();
    if (other == connection_) {
      continue;
    }
    EXPECT_EQ(name_of(fault.error), "crossed") << text_of(fault);
    ASSERT_TRUE(fault.origin);
    EXPECT_EQ(fault.origin->connection, other);
    EXPECT_EQ(fault.origin->offset, offset + right_ - position);
    expect_place(fault);
  }
}

TEST_F(OriginTest, SmallMessagesSwappedBetweenConnectionsAreCrossed) {
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t size = random_between(kAlwaysTelling, 32);
    do {
      begin(size);
      KeyedStream(connection_ ^ 1U).fill(received_, begin_);
    } while (received_.front() == KeyedStream(connection_).at(begin_));  // Right by chance.
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "crossed") << text_of(fault) << ' ' << size;
  }
}

TEST_F(OriginTest, AFlippedByteIsOneCorruptedByte) {
  for (int round = 0; round < kRounds; ++round) {
    begin(random_between(1, 2000));
    received_[random_between(0, received_.size() - 1)] ^= static_cast<std::byte>(1U << round % 8);
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "corrupted") << text_of(fault);
    EXPECT_EQ(fault.bytes, 1U);
    EXPECT_EQ(fault.origin, std::nullopt);
    expect_place(fault);
  }
}

// Any eight bytes come from some stream, which may be one that another connection could have sent.
TEST_F(OriginTest, AFlippedByteIsCorruptedEvenIfTheOtherBytesAreTooFewToIdentify) {
  constexpr int kManyRounds = 20'000;
  for (int round = 0; round < kManyRounds; ++round) {
    begin(kMinIdentifyingBytes);
    received_.front() ^= std::byte{1};
    ASSERT_EQ(name_of(identified().error), "corrupted");
  }
}

TEST_F(OriginTest, SeveralFlippedBytesAreCountedFromTheFirstToTheLast) {
  for (int round = 0; round < kRounds; ++round) {
    begin(2000);
    const std::size_t first = random_between(0, 100);
    const std::size_t last = random_between(first + 1, 1000);
    for (const std::size_t position : {first, (first + last) / 2, last}) {
      received_[position] = ~received_[position];
    }
    if ((first + last) / 2 == first) {
      received_[first] = ~received_[first];
      received_[first] ^= std::byte{1};
    }
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "corrupted") << text_of(fault);
    EXPECT_EQ(fault.bytes, last - first + 1);
  }
}

// All are flipped with one pattern, so that the result is a stream with another key.
TEST_F(OriginTest, EverySecondByteFlippedIsCorruptedAndNotCrossed) {
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t length = random_between(16, 200);
    begin(length);
    const auto pattern = static_cast<std::byte>(random_between(1, 255));
    for (std::size_t i = random_between(0, 1); i < length; i += 2) {
      received_[i] ^= pattern;
    }
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "corrupted") << text_of(fault) << ' ' << length;
  }
}

TEST_F(OriginTest, AMessageOfZerosIsCorruptedCompletely) {
  begin(1000);
  std::fill(at(100), at(164), std::byte{0});
  const Fault fault = identified();
  EXPECT_EQ(name_of(fault.error), "corrupted");
  EXPECT_LE(fault.bytes, 64U);
  EXPECT_GE(fault.bytes, 60U);  // A zero may be right.
}

TEST_F(OriginTest, BytesAfterEverythingWasSentAreUnsolicited) {
  for (const std::size_t extra : {1U, 5U, 100U}) {
    begin(500);
    insert_at(500, random_bytes(extra));
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "unsolicited") << text_of(fault);
    EXPECT_EQ(fault.bytes, extra);
    EXPECT_EQ(fault.offset, sent_);
    expect_place(fault);
  }
}

TEST_F(OriginTest, BytesOfAnotherConnectionAfterEverythingWasSentAreCrossed) {
  begin(500);
  Bytes others_bytes(64);
  KeyedStream(connection_ ^ 1U).fill(others_bytes, 4096);
  insert_at(500, others_bytes);
  const Fault fault = identified();
  EXPECT_EQ(name_of(fault.error), "crossed");
  expect_place(fault);
}

TEST_F(OriginTest, ExtraBytesInTheMiddleAreUnsolicited) {
  for (int round = 0; round < kRounds; ++round) {
    begin(1000);
    // A single inserted byte that is right by chance would be a duplicate.
    const std::size_t extra = random_between(3, 50);
    const std::size_t position = random_between(0, 900);
    insert_at(position, random_bytes(extra));
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "unsolicited") << text_of(fault);
    EXPECT_EQ(fault.bytes, extra);
    expect_place(fault);
  }
}

TEST_F(OriginTest, BytesOfAnotherRunAreCrossedWithoutAnOrigin) {
  for (int round = 0; round < kRounds; ++round) {
    begin(64);
    KeyedStream(connection_, 1 + static_cast<std::uint32_t>(round)).fill(received_, begin_);
    const Fault fault = identified();
    EXPECT_EQ(name_of(fault.error), "crossed") << text_of(fault);
    EXPECT_EQ(fault.origin, std::nullopt);
    EXPECT_NE(text_of(fault).find("bytes of another run of echoload"), std::string::npos);
  }
}

TEST_F(OriginTest, LossAndRepetitionAreDistinguishedAtAnyDistance) {
  for (const std::uint64_t distance : {300'000U, 524'168U, 524'169U, 5'000'000U}) {
    connection_ = 3;
    begin_ = 8'000'000;
    sent_ = begin_ + distance + 100;
    received_.resize(100);
    KeyedStream(connection_).fill(received_, begin_ + distance);
    EXPECT_EQ(
        text_of(identified()).find(std::to_string(distance) + " bytes lost") != std::string::npos,
        true);
    sent_ = begin_ + 100;
    KeyedStream(connection_).fill(received_, begin_ - distance);
    EXPECT_EQ(identified().error, LoadError::duplicated);
    EXPECT_EQ(identified().bytes, distance);
  }
}

TEST_F(OriginTest, EvidenceTooShortToIdentifyIsCorrupted) {
  begin(100);
  lose(50, 10);
  const Fault fault = identified(kMinIdentifyingBytes - 1);
  EXPECT_EQ(name_of(fault.error), "corrupted");
  EXPECT_EQ(fault.origin, std::nullopt);
  EXPECT_GE(fault.bytes, 1U);
  EXPECT_LE(fault.bytes, kMinIdentifyingBytes - 1);
  EXPECT_EQ(identified(kAlwaysTelling).error, LoadError::lost);
}

TEST_F(OriginTest, BytesBeyondWhatWasSentAreNotLost) {
  // Their only possible origin is beyond what was sent.
  begin(100);
  Bytes later(64);
  KeyedStream(connection_).fill(later, sent_ + 1000);
  received_.resize(50);
  received_.insert(received_.end(), later.begin(), later.end());
  const Fault fault = identified();
  EXPECT_NE(name_of(fault.error), "lost") << text_of(fault);
  EXPECT_NE(name_of(fault.error), "reordered") << text_of(fault);
}

// Texts.

Fault fault_of(LoadError error, std::uint64_t bytes) {
  return {.error = error,
          .connection = 3,
          .offset = 4096,
          .expected = std::byte{0x1f},
          .got = std::byte{0xa0},
          .bytes = bytes,
          .origin = std::nullopt};
}

TEST(FaultTextTest, SaysWhereWhatAndWhichBytes) {
  EXPECT_EQ(text_of(fault_of(LoadError::lost, 64)),
            "connection 3, offset 4096: 64 bytes lost (expected 0x1f, got 0xa0)");
  EXPECT_EQ(text_of(fault_of(LoadError::lost, 1)),
            "connection 3, offset 4096: 1 byte lost (expected 0x1f, got 0xa0)");
  EXPECT_EQ(text_of(fault_of(LoadError::corrupted, 1)),
            "connection 3, offset 4096: 1 byte corrupted (expected 0x1f, got 0xa0)");
  EXPECT_EQ(text_of(fault_of(LoadError::duplicated, 64)),
            "connection 3, offset 4096: bytes from 64 bytes earlier arrived again (expected 0x1f, "
            "got 0xa0)");
  EXPECT_EQ(text_of(fault_of(LoadError::reordered, 64)),
            "connection 3, offset 4096: bytes that belong 64 bytes later arrived first (expected "
            "0x1f, got "
            "0xa0)");
}

TEST(FaultTextTest, NamesTheConnectionWhoseBytesCame) {
  Fault fault = fault_of(LoadError::crossed, 64);
  fault.origin = Origin{.connection = 12, .offset = 77};
  EXPECT_EQ(text_of(fault),
            "connection 3, offset 4096: bytes of connection 12, offset 77 (expected 0x1f, got "
            "0xa0)");
}

TEST(FaultTextTest, NamesNoExpectedByteBeyondWhatWasSent) {
  Fault fault = fault_of(LoadError::unsolicited, 2);
  fault.expected = std::nullopt;
  fault.got = std::byte{0};
  EXPECT_EQ(text_of(fault), "connection 3, offset 4096: 2 bytes more than were sent (got 0x00)");
}

}  // namespace
}  // namespace echod::client
