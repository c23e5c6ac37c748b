#include "client/stream/origin.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "client/stream/keyed_stream.hpp"
#include "client/text/figures.hpp"

namespace echod::client {

namespace {

constexpr std::uint64_t kPeriod = KeyedStream::kPeriod;
constexpr std::uint64_t kKeyBytes = KeyedStream::kKeyBytes;
constexpr std::uint64_t kEpochBytes = KeyedStream::kEpochBytes;

// The offset in its epoch of a byte with this position in the block and this `phase` in the key.
// The stream starts at `start` in the block. One of eight candidates fits (Chinese remainder
// theorem).
std::uint64_t offset_of(std::uint64_t start, std::uint64_t position, std::uint64_t phase) {
  std::uint64_t offset = (position + kPeriod - start) % kPeriod;
  while (offset % kKeyBytes != phase) {
    offset += kPeriod;
  }
  return offset;
}

// The origin of `bytes`, if they were made from the block at `position`.
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

// Whether `bytes` may have been made from the block at `position`. The XOR of two bytes with the
// same key byte does not depend on the key.
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

// Where in `bytes` the bytes begin that were expected at `offset`. Empty if they are not there, or
// if `missing`, the number of bytes sent from `offset` on, is too small to be sure.
std::optional<std::uint64_t> find_expected_later(const KeyedStream& stream, std::uint64_t offset,
                                                 std::uint64_t missing,
                                                 std::span<const std::byte> bytes) {
  if (missing < kMinIdentifyingBytes) {
    return std::nullopt;
  }
  std::array<std::byte, kMinIdentifyingBytes> wanted{};
  stream.fill(wanted, offset);
  const auto found = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  return found == bytes.end() ? std::nullopt
                              : std::optional(static_cast<std::uint64_t>(found - bytes.begin()));
}

// The number of bytes up to the last wrong one.
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

// Whether `bytes` come from a stream of any run, with any seed.
bool is_from_any_run(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kNeededBytes = 2 * kKeyBytes;  // 8 bytes cancel the key, 8 are compared.
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

// Whether at least half of the first `examined` bytes are as expected. If so, this is our own
// stream with errors in it. Two different streams agree that much once in fifty million.
bool is_own_with_errors(const KeyedStream& stream, const Evidence& evidence, std::size_t examined) {
  examined = std::min(evidence.bytes.size(), examined);
  std::size_t right = 0;
  for (std::size_t i = 0; i < examined; ++i) {
    right += evidence.bytes[i] == stream.at(evidence.offset + i) ? 1U : 0U;
  }
  return 2 * right >= examined;
}

// Whether the bytes come from a stream of another run.
bool is_foreign(const KeyedStream& stream, const Evidence& evidence) {
  return !is_own_with_errors(stream, evidence, 2 * kKeyBytes) && is_from_any_run(evidence.bytes);
}

std::string description_of(const Fault& fault) {
  const std::string bytes = bytes_text(fault.bytes);
  switch (fault.error) {
    case LoadError::corrupted:
      return bytes + " corrupted";
    case LoadError::lost:
      return bytes + " lost";
    case LoadError::duplicated:
      return "bytes from " + bytes + " earlier arrived again";
    case LoadError::reordered:
      return "bytes that belong " + bytes + " later arrived first";
    case LoadError::crossed:
      if (!fault.origin) {
        return "bytes of another run of echoload";
      }
      return "bytes of connection " + std::to_string(fault.origin->connection) + ", offset " +
             std::to_string(fault.origin->offset);
    default:  // Unsolicited.
      break;
  }
  return bytes + (fault.expected ? " inserted that were not sent" : " more than were sent");
}

}  // namespace

// origin_of() tries 2^19 positions (in the block and in the key). At each, 8 random bytes give one
// of 2^64 keys, and match by chance if that key is in use; connections times epochs are in use.
// Each further byte makes a chance match 256 times less likely. The result keeps it below 2^-30.
std::size_t identifying_bytes(const CandidateStreams& streams) noexcept {
  constexpr int kPositionBits = 19;
  constexpr int kKeyBits = 64;
  constexpr int kCertaintyBits = 30;
  constexpr int kBitsPerByte = 8;
  const auto bits_of = [](std::uint64_t count) { return static_cast<int>(std::bit_width(count)); };
  const int used_key_bits = bits_of(streams.connections) + bits_of(streams.longest / kEpochBytes);
  const int missing = kCertaintyBits + kPositionBits + used_key_bits - kKeyBits;
  return kMinIdentifyingBytes +
         static_cast<std::size_t>(std::max(0, missing + kBitsPerByte - 1) / kBitsPerByte);
}

std::optional<Origin> origin_of(std::span<const std::byte> bytes, const CandidateStreams& streams) {
  const std::size_t enough = identifying_bytes(streams);
  if (bytes.size() < enough) {
    return std::nullopt;
  }
  bytes = bytes.first(enough);  // Later bytes may come from elsewhere.
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

// The most certain findings come first: bytes whose origin is known.
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
  // Assumes that no connection has sent much more than this one.
  constexpr std::uint64_t kMore = 4;
  fault.origin = origin_of(
      evidence.bytes,
      {.connections = connections, .seed = seed, .longest = kMore * (evidence.sent + kEpochBytes)});
  const auto later = find_expected_later(stream, evidence.offset, missing, evidence.bytes);
  const bool is_own = fault.origin && fault.origin->connection == evidence.connection;
  if (!is_own && (fault.origin || is_foreign(stream, evidence))) {
    fault.error = LoadError::crossed;
  } else if (is_own && fault.origin->offset < evidence.offset) {
    fault.error = LoadError::duplicated;
    fault.bytes = evidence.offset - fault.origin->offset;
  } else if (is_own && fault.origin->offset < evidence.sent) {
    fault.error = later ? LoadError::reordered : LoadError::lost;
    fault.bytes = fault.origin->offset - evidence.offset;
  } else if (is_beyond || later) {
    fault.error = LoadError::unsolicited;
    fault.bytes = later.value_or(evidence.bytes.size());
  } else {
    fault.error = LoadError::corrupted;
    fault.bytes = corrupted_bytes(stream, evidence);
  }
  return fault;
}

std::string text_of(const Fault& fault) {
  std::string text = "connection " + std::to_string(fault.connection) + ", offset " +
                     std::to_string(fault.offset) + ": " + description_of(fault) + " (";
  if (fault.expected) {
    text += "expected " + hex_text(*fault.expected) + ", ";
  }
  return text + "got " + hex_text(fault.got) + ')';
}

}  // namespace echod::client
