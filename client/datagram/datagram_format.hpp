// The bytes of the datagrams of a run. They are computed from the number of the socket, the number
// of the datagram and the seed, so nothing that was sent is stored.
//
//   bytes 0 to 7    number of the datagram, little-endian
//   bytes 8 to 11   number of the socket, little-endian
//   bytes 12 to 15  hash of both numbers and the seed
//   the rest        a part of the stream of the socket (keyed_stream.hpp), which depends on the
//                   number of the datagram
//
// A datagram of fewer than kHeaderBytes has no header, only the part of the stream: what comes back
// can be compared, but not be told from another datagram of its size.
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

  // Writes the datagram `id` of out.size() bytes.
  void fill(std::span<std::byte> out, const DatagramId& id) const noexcept;
  // Reads the header. Returns nothing if the bytes are too few or their hash is wrong: then they
  // were changed, or are not of this run. The chance that wrong bytes have a right hash is 1 in
  // 2^32.
  [[nodiscard]] std::optional<DatagramId> id_of(std::span<const std::byte> bytes) const noexcept;
  // The index of the first byte that differs from the datagram `id`; bytes.size() if none does.
  [[nodiscard]] std::size_t count_matching(std::span<const std::byte> bytes,
                                           const DatagramId& id) const noexcept;

 private:
  using Header = std::array<std::byte, kHeaderBytes>;
  [[nodiscard]] Header header_of(const DatagramId& id) const noexcept;

  std::uint32_t seed_;
};

}  // namespace echod::client
