#include "origin.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "figures.hpp"
#include "keyed_stream.hpp"

namespace echod::client {

namespace {

constexpr std::uint64_t kPeriod = KeyedStream::kPeriod;
constexpr std::uint64_t kKeyBytes = KeyedStream::kKeyBytes;
constexpr std::uint64_t kRepeat = KeyedStream::kRepeatBytes;

// The offset in a stream that begins at `start` of the block, given the place in the block and
// in the key (the Chinese remainder theorem, by trying the eight candidates).
std::uint64_t offset_of(std::uint64_t start, std::uint64_t place, std::uint64_t phase) {
  std::uint64_t offset = (place + kPeriod - start) % kPeriod;
  while (offset % kKeyBytes != phase) {
    offset += kPeriod;
  }
  return offset;
}

// The stream that gives `bytes` if they are from `place` in the block.
std::optional<Origin> origin_at(std::span<const std::byte> bytes, std::uint64_t place,
                                std::uint32_t connections) {
  const std::span<const std::byte> block = KeyedStream::block();
  std::array<std::byte, kKeyBytes> key_bytes{};
  for (std::size_t i = 0; i < kKeyBytes; ++i) {
    key_bytes[i] = bytes[i] ^ block[(place + i) % kPeriod];
  }
  const auto rotated = std::bit_cast<std::uint64_t>(key_bytes);
  for (std::uint64_t phase = 0; phase < kKeyBytes; ++phase) {
    constexpr int kBitsPerByte = 8;
    const std::uint64_t number =
        KeyedStream::connection_of(std::rotl(rotated, static_cast<int>(phase) * kBitsPerByte));
    if (number < connections) {
      const auto connection = static_cast<std::uint32_t>(number);
      return Origin{.connection = connection,
                    .offset = offset_of(KeyedStream(connection).start(), place, phase)};
    }
  }
  return std::nullopt;
}

// Bytes that are the same key apart differ as the block differs, whatever the key is.
bool may_be_from(std::span<const std::byte> bytes, std::uint64_t place) {
  const std::span<const std::byte> block = KeyedStream::block();
  for (std::size_t i = 0; i + kKeyBytes < bytes.size(); ++i) {
    if ((bytes[i] ^ bytes[i + kKeyBytes]) !=
        (block[(place + i) % kPeriod] ^ block[(place + i + kKeyBytes) % kPeriod])) {
      return false;
    }
  }
  return true;
}

// How far `offset` (modulo the repeat) is ahead of `from`; negative if it is behind.
std::int64_t distance(std::uint64_t from, std::uint64_t offset) {
  const auto ahead = static_cast<std::int64_t>((offset + kRepeat - from % kRepeat) % kRepeat);
  constexpr auto kHalf = static_cast<std::int64_t>(kRepeat / 2);
  return ahead > kHalf ? ahead - static_cast<std::int64_t>(kRepeat) : ahead;
}

// Whether the bytes that should have come at `offset` are somewhere in `bytes`.
bool come_later(const KeyedStream& stream, std::uint64_t offset, std::uint64_t missing,
                std::span<const std::byte> bytes) {
  const std::size_t length = std::min<std::size_t>(missing, kTellingBytes);
  std::vector<std::byte> wanted(length);
  stream.fill(wanted, offset);
  return length >= kKeyBytes &&
         std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
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

std::string what_happened(const Fault& fault) {
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
      return "bytes of connection " + std::to_string(fault.origin->connection) + ", offset " +
             std::to_string(fault.origin->offset);
    case FaultKind::unsolicited:
      return bytes + " more than were sent";
  }
  return "";
}

}  // namespace

std::optional<Origin> origin_of(std::span<const std::byte> bytes, std::uint32_t connections) {
  if (bytes.size() < kTellingBytes) {
    return std::nullopt;
  }
  // No more than are needed: what follows may be from elsewhere again.
  constexpr std::size_t kEnough = 12;
  bytes = bytes.first(std::min(bytes.size(), kEnough));
  for (std::uint64_t place = 0; place < kPeriod; ++place) {
    if (may_be_from(bytes, place)) {
      if (const auto origin = origin_at(bytes, place, connections)) {
        return origin;
      }
    }
  }
  return std::nullopt;
}

std::string_view name_of(FaultKind kind) noexcept {
  constexpr std::array<std::string_view, kFaultKinds> kNames{"corrupted", "lost",    "duplicated",
                                                             "reordered", "crossed", "unsolicited"};
  return kNames[static_cast<std::size_t>(kind)];
}

Fault identify(const Evidence& evidence, std::uint32_t connections) {
  const KeyedStream stream(evidence.connection);
  const bool is_beyond = evidence.offset >= evidence.sent;
  Fault fault;
  fault.connection = evidence.connection;
  fault.offset = evidence.offset;
  fault.got = evidence.bytes.front();
  fault.expected = is_beyond ? std::nullopt : std::optional(stream.at(evidence.offset));
  fault.origin = origin_of(evidence.bytes, connections);
  if (fault.origin && fault.origin->connection != evidence.connection) {
    fault.kind = FaultKind::crossed;
    fault.bytes = evidence.bytes.size();
    return fault;
  }
  const std::int64_t ahead = fault.origin ? distance(evidence.offset, fault.origin->offset) : 0;
  const auto away = static_cast<std::uint64_t>(std::abs(ahead));
  if (ahead > 0 && evidence.offset + away < evidence.sent) {
    fault.kind = come_later(stream, evidence.offset, away, evidence.bytes) ? FaultKind::reordered
                                                                           : FaultKind::lost;
    fault.bytes = away;
  } else if (ahead < 0 && away <= evidence.offset) {
    fault.kind = FaultKind::duplicated;
    fault.bytes = away;
  } else {
    fault.kind = is_beyond ? FaultKind::unsolicited : FaultKind::corrupted;
    fault.bytes = is_beyond ? evidence.bytes.size() : corrupted_bytes(stream, evidence);
  }
  return fault;
}

std::string text_of(const Fault& fault) {
  std::string text = "connection " + std::to_string(fault.connection) + ", offset " +
                     std::to_string(fault.offset) + ": " + what_happened(fault) + " (";
  text += fault.expected ? "expected " + hex_text(*fault.expected) + ", " : "";
  return text + "got " + hex_text(fault.got) + ')';
}

}  // namespace echod::client
