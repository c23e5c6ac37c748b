// A network of IP addresses: "192.0.2.0/24", "2001:db8::/32", or one address.
//
// Thread-safety: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/net/socket_address.hpp"

namespace echod {

class IpNetwork {
 public:
  // Parses an address in CIDR notation (RFC 4632 section 3.1). Without a prefix length it is the
  // network of this one address. Bits after the prefix are ignored. An IPv4-mapped IPv6 address
  // becomes the IPv4 address. Returns nothing for any other text.
  [[nodiscard]] static std::optional<IpNetwork> parse(std::string_view text) noexcept;

  // Whether the address is in this network. Ports and interfaces are ignored.
  [[nodiscard]] bool contains(const SocketAddress& address) const noexcept;

 private:
  SocketAddress address_;
  std::uint32_t prefix_bits_ = 0;
};

}  // namespace echod
