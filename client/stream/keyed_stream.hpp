// The endless byte stream that one connection sends. Any part of it can be computed from its
// offset, and a few bytes in a row identify the connection and the offset that they come from
// (origin.hpp).
//
// All streams share one block of kPeriod pseudo-random bytes, repeated without end. Each connection
// starts at an offset in the block that depends on its number, and XORs the block with an 8-byte
// key that changes every kEpochBytes:
//
//   byte(offset) = block[(start + offset) mod kPeriod] ^ key(offset / kEpochBytes)[offset mod 8]
//
// The key is a bijective hash of connection, epoch and seed. With one seed, no two epochs of any
// two connections have the same key. With two seeds, keys are equal only by chance (64 bits).
// Single bytes of two streams are equal at about one offset in 256. Within an epoch, each byte of
// the block meets each byte of the key exactly once, because 8 and kPeriod have no common divisor.
//
// Thread-safety: a value type. The shared block is initialized once and then only read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace echod::client {

class KeyedStream {
 public:
  static constexpr std::uint64_t kPeriod = 65521;
  static constexpr std::uint64_t kKeyBytes = 8;
  static constexpr std::uint64_t kEpochBytes = kPeriod * kKeyBytes;

  // Each seed gives different streams.
  explicit KeyedStream(std::uint32_t connection, std::uint32_t seed = 0) noexcept;

  // Writes the stream's bytes from `offset` on.
  void fill(std::span<std::byte> out, std::uint64_t offset) const noexcept;
  // Returns how many leading bytes of `bytes` equal the stream from `offset` on.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           std::uint64_t offset) const noexcept;
  [[nodiscard]] std::byte at(std::uint64_t offset) const noexcept;

  // The rest of the public part serves origin.cpp.

  // The shared block.
  [[nodiscard]] static std::span<const std::byte> block() noexcept;
  // The offset in the block at which this stream starts.
  [[nodiscard]] std::uint64_t start() const noexcept { return start_; }
  // The connection and epoch that have `key`, given the seed. Every 64-bit value is a valid key, so
  // the caller must check that such a connection and epoch exist.
  struct KeyOwner {
    std::uint32_t connection = 0;
    std::uint32_t epoch = 0;
  };
  [[nodiscard]] static KeyOwner owner_of(std::uint64_t key, std::uint32_t seed) noexcept;

 private:
  // A part of the stream with one key whose block bytes are contiguous in memory. Its byte i is
  // source[i] ^ byte (i mod kKeyBytes) of `key`.
  struct Piece {
    const std::byte* source;
    std::uint64_t key;
    std::size_t length;

    [[nodiscard]] std::byte at(std::size_t i) const noexcept;
    // Writes the piece, `length` bytes, to `out`.
    void copy_to(std::byte* out) const noexcept;
    // Returns how many leading bytes of the piece equal those at `bytes`, which has at least
    // `length` bytes.
    [[nodiscard]] std::size_t count_matching(const std::byte* bytes) const noexcept;
  };
  // The piece at `offset`, of at most `most` bytes.
  [[nodiscard]] Piece piece_at(std::uint64_t offset, std::size_t most) const noexcept;
  // The key as a word to XOR with the 8 bytes from `offset` on.
  [[nodiscard]] std::uint64_t key_at(std::uint64_t offset) const noexcept;

  std::uint64_t salt_;
  std::uint64_t start_;
  std::uint32_t connection_;
};

}  // namespace echod::client
