#include "client/stream/keyed_stream.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "client/stream/mix.hpp"

namespace echod::client {

namespace {

static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest");

constexpr int kEpochShift = 32;              // The connection number is below.
constexpr std::uint64_t kStartStep = 40503;  // Neighbouring connections start far apart.

// Makes the keys of neighbouring seeds unrelated. mix(0) is 0, so the constant keeps seed 0 from
// giving the salt 0.
std::uint64_t salt_of(std::uint32_t seed) noexcept {
  constexpr std::uint64_t kNotZero = 0x9e3779b97f4a7c15;
  return mix(seed + kNotZero);
}

// The block twice, so that any kPeriod bytes from it are contiguous.
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

// By how many bits a key is rotated at `offset`.
int rotation_at(std::uint64_t offset) noexcept {
  constexpr int kBitsPerByte = 8;
  return static_cast<int>(offset % KeyedStream::kKeyBytes) * kBitsPerByte;
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
  const std::uint64_t owner = ((offset / kEpochBytes) << kEpochShift) | connection_;
  return std::rotr(mix(owner + salt_), rotation_at(offset));
}

std::byte KeyedStream::at(std::uint64_t offset) const noexcept {
  return table()[(start_ + offset) % kPeriod] ^ static_cast<std::byte>(key_at(offset));
}

KeyedStream::Piece KeyedStream::piece_at(std::uint64_t offset, std::size_t most) const noexcept {
  return {.source = table().data() + (start_ + offset) % kPeriod,
          .key = key_at(offset),
          .length = std::min({most, kPeriod, kEpochBytes - offset % kEpochBytes})};
}

std::byte KeyedStream::Piece::at(std::size_t i) const noexcept {
  return source[i] ^ static_cast<std::byte>(key >> rotation_at(i));
}

void KeyedStream::Piece::copy_to(std::byte* out) const noexcept {
  std::size_t i = 0;
  for (; i + kKeyBytes <= length; i += kKeyBytes) {
    const std::uint64_t word = word_at(source + i) ^ key;
    std::memcpy(out + i, &word, sizeof word);
  }
  for (; i < length; ++i) {
    out[i] = at(i);
  }
}

// Compares strides of many words with one branch each, because a branch costs more than a
// comparison. Compares the stride with a difference, or the rest, by words and then by bytes.
std::size_t KeyedStream::Piece::count_matching(const std::byte* bytes) const noexcept {
  constexpr std::size_t kStrideBytes = 32 * kKeyBytes;
  const auto difference_at = [&](std::size_t i) {
    return word_at(source + i) ^ word_at(bytes + i) ^ key;
  };
  std::size_t i = 0;
  for (; i + kStrideBytes <= length; i += kStrideBytes) {
    std::uint64_t difference = 0;
    for (std::size_t word = 0; word < kStrideBytes; word += kKeyBytes) {
      difference |= difference_at(i + word);
    }
    if (difference != 0) {
      break;
    }
  }
  while (i + kKeyBytes <= length && difference_at(i) == 0) {
    i += kKeyBytes;
  }
  while (i < length && bytes[i] == at(i)) {
    ++i;
  }
  return i;
}

void KeyedStream::fill(std::span<std::byte> out, std::uint64_t offset) const noexcept {
  while (!out.empty()) {
    const Piece piece = piece_at(offset, out.size());
    piece.copy_to(out.data());
    offset += piece.length;
    out = out.subspan(piece.length);
  }
}

std::size_t KeyedStream::count_matching(std::span<const std::byte> bytes,
                                        std::uint64_t offset) const noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const Piece piece = piece_at(offset + done, bytes.size() - done);
    const std::size_t matching = piece.count_matching(bytes.data() + done);
    done += matching;
    if (matching < piece.length) {
      break;
    }
  }
  return done;
}

}  // namespace echod::client
