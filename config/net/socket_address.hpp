// An IP address and port in 24 bytes: of a listener or of a peer.
//
// Thread-safety: a value.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace echod {

class SocketAddress {
 public:
  // 0.0.0.0, port 0.
  constexpr SocketAddress() noexcept = default;
  // The addresses that mean all addresses of the host: 0.0.0.0 and ::
  [[nodiscard]] static constexpr SocketAddress any_v4(std::uint16_t port) noexcept {
    return {port, false};
  }
  [[nodiscard]] static constexpr SocketAddress any_v6(std::uint16_t port) noexcept {
    return {port, true};
  }

  // Parses "192.0.2.1", "2001:db8::1" or "fe80::1%eth0". Returns nothing for any other text. Does
  // not resolve host names.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text,
                                                          std::uint16_t port) noexcept;
  // Converts an address from the kernel. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2),
  // which is the address of an IPv4 peer on an IPv6 listener, becomes the IPv4 address.
  [[nodiscard]] static SocketAddress from(const sockaddr_storage& storage) noexcept;

  // Makes an address from its parts: `bytes` are 4 or 16 bytes in network order, `scope_id` is the
  // index of an interface. Returns nothing for another length.
  [[nodiscard]] static std::optional<SocketAddress> from_parts(std::span<const std::uint8_t> bytes,
                                                               std::uint32_t scope_id,
                                                               std::uint16_t port) noexcept;

  // Writes the address to `storage` for the kernel and returns its length.
  socklen_t to(sockaddr_storage& storage) const noexcept;

  [[nodiscard]] bool is_v6() const noexcept { return is_v6_; }
  // Whether it is 0.0.0.0 or ::
  [[nodiscard]] bool is_any() const noexcept;
  // False for a multicast address and 255.255.255.255.
  [[nodiscard]] bool is_unicast() const noexcept;
  // Whether it is in fe80::/10. Such an address needs an interface.
  [[nodiscard]] bool is_v6_link_local() const noexcept;
  // Whether it has an interface.
  [[nodiscard]] bool has_scope() const noexcept { return scope_id_ != 0; }
  // The index of the interface of a link-local IPv6 address; 0 if there is none.
  [[nodiscard]] std::uint32_t scope_id() const noexcept { return scope_id_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void set_port(std::uint16_t port) noexcept { port_ = port; }

  // The address in network order: 4 or 16 bytes.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept {
    constexpr std::size_t kV4Bytes = 4;
    return std::span(bytes_).first(is_v6_ ? bytes_.size() : kV4Bytes);
  }

  // "192.0.2.1" or "fe80::1%2".
  [[nodiscard]] std::string host() const;
  // The name of the interface, such as "eth0"; empty if there is none. Unlike the index, the name
  // stays the same after a restart of the host.
  [[nodiscard]] std::string interface() const;
  // "192.0.2.1:2003" or "[fe80::1%2]:2003".
  [[nodiscard]] std::string text() const;

  bool operator==(const SocketAddress&) const noexcept = default;

 private:
  constexpr SocketAddress(std::uint16_t port, bool is_v6) noexcept : port_(port), is_v6_(is_v6) {}

  std::array<std::uint8_t, 16> bytes_{};  // Network order; IPv4 uses the first four.
  std::uint32_t scope_id_ = 0;            // Interface index of a link-local IPv6 address.
  std::uint16_t port_ = 0;                // Host order.
  bool is_v6_ = false;
};

static_assert(sizeof(SocketAddress) == 24, "one per connection: keep it small");

}  // namespace echod
