// The bytes that one connection sends: endless, computable at any offset, and telling where they
// come from.
//
// A random block of kPeriod bytes, the same for all connections, is repeated without end. Each
// connection begins at a place of its own in it and combines (xor) the bytes with a key of its own,
// 8 bytes long:
//
//   byte(connection, offset) = block[(start + offset) mod kPeriod] ^ key[offset mod 8]
//
// So a stream repeats itself only after 8 * kPeriod bytes (kPeriod is prime), two connections have
// different bytes at every offset, as far as 64 random bits can differ, and the key, which is the
// connection's number in disguise, can be computed from any few bytes in a row (see origin.hpp).
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
  // After so many bytes a stream begins anew.
  static constexpr std::uint64_t kRepeatBytes = kPeriod * kKeyBytes;

  explicit KeyedStream(std::uint32_t connection) noexcept;

  // Writes the stream's bytes from `offset` on.
  void fill(std::span<std::byte> out, std::uint64_t offset) const noexcept;
  // How many of `bytes` are what the stream has from `offset` on, up to the first that is not.
  [[nodiscard]] std::size_t matching(std::span<const std::byte> bytes,
                                     std::uint64_t offset) const noexcept;
  [[nodiscard]] std::byte at(std::uint64_t offset) const noexcept;

  // For finding out where bytes come from.
  // The block.
  [[nodiscard]] static std::span<const std::byte> block() noexcept;
  // Where in the block this stream begins.
  [[nodiscard]] std::uint64_t start() const noexcept { return start_; }
  // The connection with this key. Any 64 bits are the key of one number.
  [[nodiscard]] static std::uint64_t connection_of(std::uint64_t key) noexcept;

 private:
  // The key as a word to combine with 8 bytes from `offset` on.
  [[nodiscard]] std::uint64_t key_at(std::uint64_t offset) const noexcept;

  std::uint64_t key_;
  std::uint64_t start_;
};

}  // namespace echod::client
