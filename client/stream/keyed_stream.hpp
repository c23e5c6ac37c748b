// The bytes that one connection sends: endless, computable at any offset, and telling where they
// come from.
//
// A random block of kPeriod bytes, the same for all connections, is repeated without end. Each
// connection begins at a place of its own in it and combines (xor) the bytes with a key, 8 bytes
// long, another one for each epoch of kEpochBytes:
//
//   byte(offset) = block[(start + offset) mod kPeriod] ^ key(offset / kEpochBytes)[offset mod 8]
//
// Within an epoch nothing is repeated (kPeriod is prime), and a key is the number of the connection
// and of the epoch in disguise, and of the run: two streams have different bytes at every offset,
// as far as 64 random bits can differ, also those of two processes. The key, and so the place that
// bytes are from, can be computed from any few bytes in a row (origin.hpp).
//
// Thread-safety: a value; the block is made once and only read.
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

  // Runs with different seeds have different bytes.
  explicit KeyedStream(std::uint32_t connection, std::uint32_t seed = 0) noexcept;

  // Writes the stream's bytes from `offset` on.
  void fill(std::span<std::byte> out, std::uint64_t offset) const noexcept;
  // How many of `bytes` are what the stream has from `offset` on, up to the first that is not.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           std::uint64_t offset) const noexcept;
  [[nodiscard]] std::byte at(std::uint64_t offset) const noexcept;

  // For finding out where bytes come from.
  // The block.
  [[nodiscard]] static std::span<const std::byte> block() noexcept;
  // Where in the block this stream begins.
  [[nodiscard]] std::uint64_t start() const noexcept { return start_; }
  // What has this key, as far as the seed is the same. Any 64 bits are the key of something.
  struct KeyOwner {
    std::uint32_t connection = 0;
    std::uint32_t epoch = 0;
  };
  [[nodiscard]] static KeyOwner owner_of(std::uint64_t key, std::uint32_t seed) noexcept;

 private:
  // As much from `offset` on as lies in one place of the block and has one key, and no more than
  // `most`: its byte i is source[i] combined with byte i modulo kKeyBytes of `key`.
  struct Piece {
    const std::byte* source;
    std::uint64_t key;
    std::size_t length;
  };
  [[nodiscard]] Piece piece_at(std::uint64_t offset, std::size_t most) const noexcept;
  // The key as a word to combine with 8 bytes from `offset` on.
  [[nodiscard]] std::uint64_t key_at(std::uint64_t offset) const noexcept;

  std::uint64_t salt_;
  std::uint64_t start_;
  std::uint32_t connection_;
};

}  // namespace echod::client
