#include "client/datagram/datagram_format.hpp"

#include <algorithm>

#include "client/stream/keyed_stream.hpp"
#include "client/stream/mix.hpp"

namespace echod::client {

namespace {

constexpr std::size_t kSocketAt = 8;
constexpr std::size_t kHashAt = 12;
constexpr int kBitsPerByte = 8;
// The distance between the parts of the stream that two datagrams use, so that they do not overlap.
constexpr std::uint64_t kStreamBytesOfDatagram = 65536;

void put(std::span<std::byte> into, std::uint64_t value) noexcept {
  for (std::byte& byte : into) {
    byte = static_cast<std::byte>(value);
    value >>= kBitsPerByte;
  }
}

std::uint64_t get(std::span<const std::byte> from) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = from.size(); i > 0; --i) {
    value = value << kBitsPerByte | static_cast<std::uint64_t>(from[i - 1]);
  }
  return value;
}

}  // namespace

DatagramFormat::Header DatagramFormat::header_of(const DatagramId& id) const noexcept {
  constexpr int kHalf = 32;
  constexpr std::uint64_t kSalt = 0x9e3779b97f4a7c15;
  Header header{};
  const std::span<std::byte> bytes(header);
  put(bytes.first(kSocketAt), id.number);
  put(bytes.subspan(kSocketAt, kHashAt - kSocketAt), id.socket);
  const std::uint64_t key = std::uint64_t{id.socket} << kHalf | seed_;
  put(bytes.subspan(kHashAt), mix(mix(key ^ kSalt) + id.number));
  return header;
}

void DatagramFormat::fill(std::span<std::byte> out, const DatagramId& id) const noexcept {
  std::uint64_t offset = id.number * kStreamBytesOfDatagram;
  if (out.size() >= kHeaderBytes) {
    std::ranges::copy(header_of(id), out.begin());
    out = out.subspan(kHeaderBytes);
    offset += kHeaderBytes;
  }
  KeyedStream(id.socket, seed_).fill(out, offset);
}

std::optional<DatagramId> DatagramFormat::id_of(std::span<const std::byte> bytes) const noexcept {
  if (bytes.size() < kHeaderBytes) {
    return std::nullopt;
  }
  const DatagramId id{
      .socket = static_cast<std::uint32_t>(get(bytes.subspan(kSocketAt, kHashAt - kSocketAt))),
      .number = get(bytes.first(kSocketAt))};
  const bool is_right = std::ranges::equal(bytes.first(kHeaderBytes), header_of(id));
  return is_right ? std::optional(id) : std::nullopt;
}

std::size_t DatagramFormat::count_matching(std::span<const std::byte> bytes,
                                           const DatagramId& id) const noexcept {
  std::uint64_t offset = id.number * kStreamBytesOfDatagram;
  std::size_t right = 0;
  if (bytes.size() >= kHeaderBytes) {
    const auto first = bytes.first(kHeaderBytes);
    const Header header = header_of(id);
    const auto difference = std::ranges::mismatch(first, header);
    right = static_cast<std::size_t>(difference.in1 - first.begin());
    if (right < kHeaderBytes) {
      return right;
    }
    offset += kHeaderBytes;
  }
  return right + KeyedStream(id.socket, seed_).count_matching(bytes.subspan(right), offset);
}

}  // namespace echod::client
