// Host names to addresses (getaddrinfo(3)). May block for as long as the resolver does.
// Thread-safety: free of shared state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "socket_address.hpp"

namespace echod::sys {

// The addresses of `host`, a name or an address as text, in the order in which to try them
// (RFC 6724); never empty. Throws std::runtime_error with the resolver's words.
[[nodiscard]] std::vector<SocketAddress> resolve(const std::string& host, std::uint16_t port);

}  // namespace echod::sys
