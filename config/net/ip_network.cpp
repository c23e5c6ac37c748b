#include "config/net/ip_network.hpp"

#include <cstddef>
#include <span>

#include "config/net/parse_number.hpp"

namespace echod {

namespace {

constexpr std::uint32_t kBitsPerByte = 8;
constexpr std::uint32_t kMappedPrefixBits = 96;  // ::ffff:0:0/96, RFC 4291 section 2.5.5.2.

std::uint32_t bits_of(const SocketAddress& address) noexcept {
  return static_cast<std::uint32_t>(address.bytes().size()) * kBitsPerByte;
}

}  // namespace

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const auto given = SocketAddress::parse(text.substr(0, slash), 0);
  if (!given || given->has_scope()) {
    return std::nullopt;
  }
  IpNetwork network;
  network.prefix_bits_ = bits_of(*given);
  if (slash != std::string_view::npos) {
    const auto bits = parse_number<std::uint32_t>(text.substr(slash + 1));
    if (!bits || *bits > network.prefix_bits_) {
      return std::nullopt;
    }
    network.prefix_bits_ = *bits;
  }
  sockaddr_storage storage{};
  (void)given->to(storage);  // from() does not need the length.
  network.address_ = SocketAddress::from(storage);
  if (network.address_.is_v6() != given->is_v6()) {
    if (network.prefix_bits_ < kMappedPrefixBits) {
      return std::nullopt;  // A network of IPv4 and IPv6 addresses.
    }
    network.prefix_bits_ -= kMappedPrefixBits;
  }
  return network;
}

bool IpNetwork::contains(const SocketAddress& address) const noexcept {
  if (address.kind() != address_.kind()) {
    return false;
  }
  const auto ours = address_.bytes();
  const auto theirs = address.bytes();
  std::uint32_t bits_left = prefix_bits_;
  for (std::size_t i = 0; bits_left > 0; ++i) {
    const std::uint32_t bits = bits_left < kBitsPerByte ? bits_left : kBitsPerByte;
    const auto differing = static_cast<std::uint32_t>(ours[i] ^ theirs[i]);
    if (differing >> (kBitsPerByte - bits) != 0) {
      return false;
    }
    bits_left -= bits;
  }
  return true;
}

}  // namespace echod
