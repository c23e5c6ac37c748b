#include "origin.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "figures.hpp"
#include "keyed_stream.hpp"

namespace echod::client {

namespace {

constexpr std::uint64_t kPeriod = KeyedStream::kPeriod;
constexpr std::uint64_t kKeyBytes = KeyedStream::kKeyBytes;
constexpr std::uint64_t kEpochBytes = KeyedStream::kEpochBytes;

// The offset in an epoch of a stream that begins at `start` of the block, given the position in the
// block and in the key (the Chinese remainder theorem, by trying the eight candidates).
std::uint64_t offset_of(std::uint64_t start, std::uint64_t position, std::uint64_t phase) {
  std::uint64_t offset = (position + kPeriod - start) % kPeriod;
  while (offset % kKeyBytes != phase) {
    offset += kPeriod;
  }
  return offset;
}

// The stream that gives `bytes` if they are from `position` in the block.
std::optional<Origin> origin_at(std::span<const std::byte> bytes, std::uint64_t position,
                                const CandidateStreams& streams) {
  const std::span<const std::byte> block = KeyedStream::block();
  std::array<std::byte, kKeyBytes> key_bytes{};
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    key_bytes[i] = bytes[i] ^ block[(position + i) % kPeriod];
  }
  const auto rotated = std::bit_cast<std::uint64_t>(key_bytes);
  for (std::uint64_t phase = 0; phase < kKeyBytes; ++phase) {
    constexpr int kBitsPerByte = 8;
    const KeyedStream::KeyOwner owner = KeyedStream::owner_of(
        std::rotl(rotated, static_cast<int>(phase) * kBitsPerByte), streams.seed);
    if (owner.connection < streams.connections && owner.epoch <= streams.longest / kEpochBytes) {
      const std::uint64_t start = KeyedStream(owner.connection).start();
      return Origin{.connection = owner.connection,
                    .offset = owner.epoch * kEpochBytes + offset_of(start, position, phase)};
    }
  }
  return std::nullopt;
}

// Bytes that are the same key apart differ as the block differs, whatever the key is.
bool matches_block_at(std::span<const std::byte> bytes, std::uint64_t position) {
  const std::span<const std::byte> block = KeyedStream::block();
  for (std::size_t i = 0; i + kKeyBytes < bytes.size(); ++i) {
    if ((bytes[i] ^ bytes[i + kKeyBytes]) !=
        (block[(position + i) % kPeriod] ^ block[(position + i + kKeyBytes) % kPeriod])) {
      return false;
    }
  }
  return true;
}

// Where in `bytes` those are that should have come at `offset`, of which `missing` are; nothing if
// they are nowhere, or too few to tell.
std::optional<std::uint64_t> find_expected_later(const KeyedStream& stream, std::uint64_t offset,
                                                 std::uint64_t missing,
                                                 std::span<const std::byte> bytes) {
  const std::size_t length = std::min<std::size_t>(missing, kMinIdentifyingBytes);
  std::vector<std::byte> wanted(length);
  stream.fill(wanted, offset);
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  return length < kMinIdentifyingBytes || found == bytes.end()
             ? std::nullopt
             : std::optional(static_cast<std::uint64_t>(found - bytes.begin()));
}

// How many bytes are wrong before the stream goes on in step; all of them if it does not.
std::size_t corrupted_bytes(const KeyedStream& stream, const Evidence& evidence) {
  const std::size_t size = evidence.bytes.size();
  std::size_t last_wrong = 0;
  for (std::size_t i = 1; i < size; ++i) {
    if (evidence.bytes[i] != stream.at(evidence.offset + i)) {
      last_wrong = i;
    }
  }
  return last_wrong + 1;
}

// Whether they are bytes of a stream of any run, with any seed.
bool is_from_any_run(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kNeededBytes =
      2 * kKeyBytes;  // 8 bytes without their key, in 65521 places.
  if (bytes.size() < kNeededBytes) {
    return false;
  }
  for (std::uint64_t position = 0; position < kPeriod; ++position) {
    if (matches_block_at(bytes.first(kNeededBytes), position)) {
      return true;
    }
  }
  return false;
}

// Whether at least half of the first `examined` bytes are right in their position: then it is our
// own stream with wrong bytes in it. Two streams agree in so many once in fifty million.
bool is_own_with_errors(const KeyedStream& stream, const Evidence& evidence, std::size_t examined) {
  examined = std::min(evidence.bytes.size(), examined);
  std::size_t right = 0;
  for (std::size_t i = 0; i < examined; ++i) {
    right += evidence.bytes[i] == stream.at(evidence.offset + i) ? 1U : 0U;
  }
  return 2 * right >= examined;
}

// Whether they are bytes of a stream, but not of any of this run.
bool is_foreign(const KeyedStream& stream, const Evidence& evidence) {
  return !is_own_with_errors(stream, evidence, 2 * kKeyBytes) && is_from_any_run(evidence.bytes);
}

std::string description_of(const Fault& fault) {
  const std::string bytes = bytes_text(fault.bytes);
  switch (fault.kind) {
    case FaultKind::corrupted:
      return bytes + " corrupted";
    case FaultKind::lost:
      return bytes + " lost";
    case FaultKind::duplicated:
      return "the " + bytes + " before came again";
    case FaultKind::reordered:
      return "what belongs " + bytes + " later came first";
    case FaultKind::crossed:
      return fault.origin ? "bytes of connection " + std::to_string(fault.origin->connection) +
                                ", offset " + std::to_string(fault.origin->offset)
                          : "bytes of another run of echoload";
    case FaultKind::unsolicited:
      return bytes +
             (fault.expected ? " that nobody sent came in between" : " more than were sent");
  }
  return "";
}

}  // namespace

// 8 bytes give a key for each of 2^19 places (in the block and in the key), and every connection
// has one of the 2^64 keys for each epoch. A byte more makes a match by chance 256 times less
// likely.
std::size_t identifying_bytes(const CandidateStreams& streams) noexcept {
  constexpr int kBitsOfPlaces = 19;
  constexpr int kBitsOfKeys = 64;
  constexpr int kBitsOfChance = 30;
  constexpr int kBitsPerByte = 8;
  const auto bits_of = [](std::uint64_t count) { return static_cast<int>(std::bit_width(count)); };
  const int bits_of_streams = bits_of(streams.connections) + bits_of(streams.longest / kEpochBytes);
  const int missing = kBitsOfChance + kBitsOfPlaces + bits_of_streams - kBitsOfKeys;
  return kMinIdentifyingBytes +
         static_cast<std::size_t>(std::max(0, missing + kBitsPerByte - 1) / kBitsPerByte);
}

std::optional<Origin> origin_of(std::span<const std::byte> bytes, const CandidateStreams& streams) {
  const std::size_t enough = identifying_bytes(streams);
  if (bytes.size() < enough) {
    return std::nullopt;
  }
  bytes = bytes.first(enough);  // What follows may be from elsewhere again.
  for (std::uint64_t position = 0; position < kPeriod; ++position) {
    if (matches_block_at(bytes, position)) {
      if (const auto origin = origin_at(bytes, position, streams)) {
        return origin;
      }
    }
  }
  return std::nullopt;
}

std::size_t evidence_bytes_needed(std::uint64_t owed) noexcept {
  return owed > 0 ? std::min<std::uint64_t>(owed, kEvidenceBytes) : kEvidenceBytes;
}

std::string_view name_of(FaultKind kind) noexcept {
  constexpr std::array<std::string_view, kFaultKinds> kNames{"corrupted", "lost",    "duplicated",
                                                             "reordered", "crossed", "unsolicited"};
  return kNames[static_cast<std::size_t>(kind)];
}

// In the order of what is known for sure: bytes that say where they are from first.
Fault identify(const Evidence& evidence, std::uint32_t connections, std::uint32_t seed) {
  const KeyedStream stream(evidence.connection, seed);
  const bool is_beyond = evidence.offset >= evidence.sent;
  const std::uint64_t missing = is_beyond ? 0 : evidence.sent - evidence.offset;
  Fault fault;
  fault.connection = evidence.connection;
  fault.offset = evidence.offset;
  fault.got = evidence.bytes.front();
  fault.expected = is_beyond ? std::nullopt : std::optional(stream.at(evidence.offset));
  fault.bytes = evidence.bytes.size();
  // The others have sent about as much.
  constexpr std::uint64_t kMore = 4;
  fault.origin = origin_of(
      evidence.bytes,
      {.connections = connections, .seed = seed, .longest = kMore * (evidence.sent + kEpochBytes)});
  const auto later = find_expected_later(stream, evidence.offset, missing, evidence.bytes);
  const bool is_own = fault.origin && fault.origin->connection == evidence.connection;
  if (!is_own && (fault.origin || is_foreign(stream, evidence))) {
    fault.kind = FaultKind::crossed;
  } else if (is_own && fault.origin->offset < evidence.offset) {
    fault.kind = FaultKind::duplicated;
    fault.bytes = evidence.offset - fault.origin->offset;
  } else if (is_own && fault.origin->offset < evidence.sent) {
    fault.kind = later ? FaultKind::reordered : FaultKind::lost;
    fault.bytes = fault.origin->offset - evidence.offset;
  } else if (is_beyond || later) {
    fault.kind = FaultKind::unsolicited;
    fault.bytes = later.value_or(evidence.bytes.size());
  } else {
    fault.kind = FaultKind::corrupted;
    fault.bytes = corrupted_bytes(stream, evidence);
  }
  return fault;
}

std::string text_of(const Fault& fault) {
  std::string text = "connection " + std::to_string(fault.connection) + ", offset " +
                     std::to_string(fault.offset) + ": " + description_of(fault) + " (";
  text += fault.expected ? "expected " + hex_text(*fault.expected) + ", " : "";
  return text + "got " + hex_text(fault.got) + ')';
}

}  // namespace echod::client
