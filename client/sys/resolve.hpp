// Host names to addresses (getaddrinfo(3)). May block for as long as the resolver does.
// Thread-safety: free of shared state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sys/socket_address.hpp"

namespace echod::sys {

// The addresses of `host`, a name or an address as text, in the order in which to try them: the
// resolver's (RFC 6724), with the families taking turns. Never empty. Throws std::runtime_error
// with the resolver's words.
[[nodiscard]] std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port);

// The same addresses with the families taking turns, so that one family without a connection to the
// world does not hold up the other (RFC 8305, section 4). The order within a family stays.
[[nodiscard]] std::vector<SocketAddress> interleave_families(std::vector<SocketAddress> addresses);

}  // namespace echod::sys
