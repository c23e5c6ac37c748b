// Names a listener in messages.
//
// Thread-safety: functions without state.
#pragma once

#include <string>

#include "config/config.hpp"
#include "config/toml_value.hpp"

namespace echod {

// "192.0.2.1:2003", or "udp 192.0.2.1:2003".
[[nodiscard]] inline std::string listener_text(Protocol protocol, const SocketAddress& address) {
  return (protocol == Protocol::udp ? "udp " : "") + address.text();
}

// "unix:/run/echod/echo.sock".
[[nodiscard]] inline std::string listener_text(const std::string& path) {
  return "unix:" + shown_name(path);
}

// The text of something that has a protocol, an address and a path.
template <typename Listener>
[[nodiscard]] std::string listener_text(const Listener& listener) {
  return listener.path.empty() ? listener_text(listener.protocol, listener.address)
                               : listener_text(listener.path);
}

}  // namespace echod
