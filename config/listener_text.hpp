// Names a listener in messages.
//
// Thread-safety: a function without state.
#pragma once

#include <string>

#include "config/config.hpp"

namespace echod {

// "192.0.2.1:2003", or "udp 192.0.2.1:2003".
[[nodiscard]] inline std::string listener_text(Protocol protocol, const SocketAddress& address) {
  return (protocol == Protocol::udp ? "udp " : "") + address.text();
}

}  // namespace echod
