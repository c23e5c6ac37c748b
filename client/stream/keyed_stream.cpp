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

KeyedStream::Piece KeyedStream::piece_at(std::uint64_t offset, std::size_t most) const noexcept {
  return {.source = table().data() + (start_ + offset) % kPeriod,
          .key = key_at(offset),
          .length = std::min({most, kPeriod, kEpochBytes - offset % kEpochBytes})};
}

void KeyedStream::fill(std::span<std::byte> out, std::uint64_t offset) const noexcept {
  while (!out.empty()) {
    const Piece piece = piece_at(offset, out.size());
    std::size_t done = 0;
    for (; done + kKeyBytes <= piece.length; done += kKeyBytes) {
      const std::uint64_t word = word_at(piece.source + done) ^ piece.key;
      std::memcpy(out.data() + done, &word, sizeof word);
    }
    for (; done < piece.length; ++done) {
      out[done] = at(offset + done);
    }
    offset += piece.length;
    out = out.subspan(piece.length);
  }
}

std::size_t KeyedStream::count_matching(std::span<const std::byte> bytes,
                                        std::uint64_t offset) const noexcept {
  // Compares many words per branch, because a branch costs more than a comparison. The first
  // difference is then searched byte by byte.
  constexpr std::size_t kStrideBytes = 32 * kKeyBytes;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const Piece piece = piece_at(offset + done, std::min(bytes.size() - done, kStrideBytes));
    const std::byte* const got = bytes.data() + done;
    std::uint64_t difference = 0;
    std::size_t i = 0;
    for (; i + kKeyBytes <= piece.length; i += kKeyBytes) {
      difference |= word_at(piece.source + i) ^ word_at(got + i) ^ piece.key;
    }
    for (; i < piece.length; ++i) {
      difference |= static_cast<std::uint64_t>(got[i] ^ at(offset + done + i));
    }
    if (difference != 0) {
      break;
    }
    done += piece.length;
  }
  while (done < bytes.size() && bytes[done] == at(offset + done)) {
    ++done;
  }
  return done;
}

}  // namespace echod::client
