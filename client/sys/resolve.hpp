// Resolves host names to addresses (getaddrinfo(3)).
// Thread-safety: stateless functions. May block for as long as the resolver does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/net/socket_address.hpp"

namespace echod::sys {

// The addresses of `host`, which is a name or an address, in the order in which to try them: the
// resolver's order (RFC 6724), with IPv4 and IPv6 alternating. Never empty. Throws
// std::runtime_error with the resolver's message.
[[nodiscard]] std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port);

// Makes IPv4 and IPv6 addresses alternate, so that an unreachable family does not delay the other
// (RFC 8305, section 4). Keeps the order within each family.
[[nodiscard]] std::vector<SocketAddress> interleave_families(std::vector<SocketAddress> addresses);

}  // namespace echod::sys
