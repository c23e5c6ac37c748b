// Computes the bytes of each datagram of a run from the number of the socket, the number of the
// datagram and the seed. So sent datagrams need not be stored.
//
//   bytes 0 to 7    number of the datagram, little-endian
//   bytes 8 to 11   number of the socket, little-endian
//   bytes 12 to 15  hash of both numbers and the seed
//   the rest        a part of the stream of the socket (keyed_stream.hpp), which depends on the
//                   number of the datagram
//
// A datagram with fewer than kHeaderBytes bytes has no header, only the part of the stream. Then
// the answer can be compared with one datagram, but does not tell which datagram it answers.
//
// Thread-safety: a value type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace echod::client {

struct DatagramId {
  std::uint32_t socket = 0;
  std::uint64_t number = 0;

  bool operator==(const DatagramId&) const noexcept = default;
};

class DatagramFormat {
 public:
  static constexpr std::size_t kHeaderBytes = 16;

  explicit DatagramFormat(std::uint32_t seed) noexcept : seed_(seed) {}

  // Writes the datagram `id`, with out.size() bytes.
  void fill(std::span<std::byte> out, const DatagramId& id) const noexcept;
  // Reads the header. Returns nothing if there are too few bytes or the hash is wrong: then the
  // bytes were changed or belong to another run. Wrong bytes have a right hash with a chance of 1
  // in 2^32.
  [[nodiscard]] std::optional<DatagramId> id_of(std::span<const std::byte> bytes) const noexcept;
  // Returns how many leading bytes of `bytes` equal the datagram `id`.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           const DatagramId& id) const noexcept;

 private:
  using Header = std::array<std::byte, kHeaderBytes>;
  [[nodiscard]] Header header_of(const DatagramId& id) const noexcept;

  std::uint32_t seed_;
};

}  // namespace echod::client
