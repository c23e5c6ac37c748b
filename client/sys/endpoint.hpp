// Where a server is: an IP address and port for TCP or UDP, or the path of a UNIX stream socket.
// Thread-safety: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/net/socket_address.hpp"

namespace echod::client {

enum class Transport : std::uint8_t { tcp, udp, local };

// The beginning of a target on the command line: "tcp://", "udp://", "unix:".
[[nodiscard]] std::string_view scheme_of(Transport transport) noexcept;

class Endpoint {
 public:
  // The server is unknown: TCP, port 0.
  Endpoint() = default;
  // Implicit, because an address is an endpoint.
  Endpoint(const SocketAddress& address)  // NOLINT(*-explicit-*)
      : address_(address) {}
  [[nodiscard]] static Endpoint udp(const SocketAddress& address);
  [[nodiscard]] static Endpoint at_path(std::string path);
  // Parses what text() returns. Returns nothing for any other text.
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);

  [[nodiscard]] bool is_known() const noexcept { return address_.port() > 0 || is_local(); }
  [[nodiscard]] Transport transport() const noexcept { return transport_; }
  [[nodiscard]] bool is_udp() const noexcept { return transport_ == Transport::udp; }
  [[nodiscard]] bool is_local() const noexcept { return transport_ == Transport::local; }
  // Must not be called for a UNIX socket.
  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
  // The path of a UNIX socket. Empty for TCP and UDP.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // "192.0.2.1:2003", "udp://[::1]:2003" or "unix:/run/echod/echo.sock".
  [[nodiscard]] std::string text() const;

  bool operator==(const Endpoint&) const noexcept = default;

 private:
  Transport transport_ = Transport::tcp;
  SocketAddress address_;
  std::string path_;
};

}  // namespace echod::client
