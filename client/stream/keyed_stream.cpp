#include "keyed_stream.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace echod::client {

namespace {

static_assert(std::endian::native == std::endian::little, "a word's first byte is its lowest");

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits that leaves no
// pattern. The inverse multiplies by the inverses of its constants and undoes the shifts.
std::uint64_t mix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::uint64_t unmix(std::uint64_t value) noexcept {
  value = (value ^ (value >> 31) ^ (value >> 62)) * 0x319642b2d24d8ec3;
  value = (value ^ (value >> 27) ^ (value >> 54)) * 0x96de1b173f119089;
  return value ^ (value >> 30) ^ (value >> 60);
}

constexpr int kEpochShift = 32;              // Above the connection's number.
constexpr std::uint64_t kStartStep = 40503;  // Neighbours begin far apart.

// So that no run has the key 0, and neighbouring seeds nothing in common.
std::uint64_t salt_of(std::uint32_t seed) noexcept {
  constexpr std::uint64_t kNotZero = 0x9e3779b97f4a7c15;
  return mix(seed + kNotZero);
}

// The block twice over, so that any piece of up to kPeriod bytes is in one place.
using Table = std::array<std::byte, 2 * KeyedStream::kPeriod>;

Table make_table() noexcept {
  Table table{};
  for (std::uint64_t i = 0; i < KeyedStream::kPeriod; ++i) {
    table[i] = table[i + KeyedStream::kPeriod] = static_cast<std::byte>(mix(i + 1));
  }
  return table;
}

const Table& table() noexcept {
  static const Table made = make_table();
  return made;
}

std::uint64_t word_at(const std::byte* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace

KeyedStream::KeyedStream(std::uint32_t connection, std::uint32_t seed) noexcept
    : salt_(salt_of(seed)), start_(connection * kStartStep % kPeriod), connection_(connection) {}

std::span<const std::byte> KeyedStream::block() noexcept {
  return std::span(table()).first<kPeriod>();
}

KeyedStream::KeyOwner KeyedStream::owner_of(std::uint64_t key, std::uint32_t seed) noexcept {
  const std::uint64_t owner = unmix(key) - salt_of(seed);
  return {.connection = static_cast<std::uint32_t>(owner),
          .epoch = static_cast<std::uint32_t>(owner >> kEpochShift)};
}

std::uint64_t KeyedStream::key_at(std::uint64_t offset) const noexcept {
  constexpr int kBitsPerByte = 8;
  const std::uint64_t owner = ((offset / kEpochBytes) << kEpochShift) | connection_;
  return std::rotr(mix(owner + salt_), static_cast<int>(offset % kKeyBytes) * kBitsPerByte);
}

std::byte KeyedStream::at(std::uint64_t offset) const noexcept {
  return table()[(start_ + offset) % kPeriod] ^ static_cast<std::byte>(key_at(offset));
}

void KeyedStream::fill(std::span<std::byte> out, std::uint64_t offset) const noexcept {
  while (!out.empty()) {
    const std::uint64_t same_key = kEpochBytes - offset % kEpochBytes;
    const std::span<std::byte> piece = out.first(std::min({out.size(), kPeriod, same_key}));
    const std::byte* const source = table().data() + (start_ + offset) % kPeriod;
    const std::uint64_t key = key_at(offset);
    std::size_t done = 0;
    for (; done + kKeyBytes <= piece.size(); done += kKeyBytes) {
      const std::uint64_t word = word_at(source + done) ^ key;
      std::memcpy(piece.data() + done, &word, sizeof word);
    }
    for (; done < piece.size(); ++done) {
      piece[done] = at(offset + done);
    }
    offset += piece.size();
    out = out.subspan(piece.size());
  }
}

std::size_t KeyedStream::matching(std::span<const std::byte> bytes,
                                  std::uint64_t offset) const noexcept {
  // Many words are compared at a time, because a branch after each would cost more than the
  // comparison; only a difference is looked for word by word, then byte by byte.
  constexpr std::size_t kStrideBytes = 32 * kKeyBytes;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::byte* const expected = table().data() + (start_ + offset + done) % kPeriod;
    const std::byte* const got = bytes.data() + done;
    const std::uint64_t key = key_at(offset + done);
    const std::uint64_t same_key = kEpochBytes - (offset + done) % kEpochBytes;
    const std::size_t length = std::min({bytes.size() - done, kStrideBytes, same_key});
    std::uint64_t difference = 0;
    std::size_t i = 0;
    for (; i + kKeyBytes <= length; i += kKeyBytes) {
      difference |= word_at(expected + i) ^ word_at(got + i) ^ key;
    }
    for (; i < length; ++i) {
      difference |= static_cast<std::uint64_t>(got[i] ^ at(offset + done + i));
    }
    if (difference != 0) {
      break;
    }
    done += length;
  }
  while (done < bytes.size() && bytes[done] == at(offset + done)) {
    ++done;
  }
  return done;
}

}  // namespace echod::client
