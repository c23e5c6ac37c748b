// The address of a listener or of a peer in 24 bytes: an IP address and port, or the process at the
// other end of a UNIX socket.
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
  enum class Kind : std::uint8_t { v4, v6, local };

  // 0.0.0.0, port 0.
  constexpr SocketAddress() noexcept = default;
  // The addresses that mean all addresses of the host: 0.0.0.0 and ::
  [[nodiscard]] static constexpr SocketAddress any_v4(std::uint16_t port) noexcept {
    return {port, Kind::v4};
  }
  [[nodiscard]] static constexpr SocketAddress any_v6(std::uint16_t port) noexcept {
    return {port, Kind::v6};
  }
  // The peer of a connection over a UNIX socket (SO_PEERCRED, unix(7)).
  [[nodiscard]] static SocketAddress of_process(std::int32_t pid, std::uint32_t uid) noexcept;

  // Parses "192.0.2.1", "2001:db8::1" or "fe80::1%eth0". Returns nothing for any other text. Does
  // not resolve host names.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text,
                                                          std::uint16_t port) noexcept;
  // Converts an address from the kernel. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2),
  // which is the address of an IPv4 peer on an IPv6 listener, becomes the IPv4 address.
  [[nodiscard]] static SocketAddress from(const sockaddr_storage& storage) noexcept;

  // Makes an address from its parts: `bytes` are those of bytes(), `scope_id` is the index of an
  // interface. Returns nothing if `bytes` have the length of no kind.
  [[nodiscard]] static std::optional<SocketAddress> from_parts(std::span<const std::uint8_t> bytes,
                                                               std::uint32_t scope_id,
                                                               std::uint16_t port) noexcept;

  // Writes the IP address to `storage` for the kernel and returns its length.
  socklen_t to(sockaddr_storage& storage) const noexcept;

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] bool is_v6() const noexcept { return kind_ == Kind::v6; }
  // Whether it is the peer of a UNIX socket.
  [[nodiscard]] bool is_local() const noexcept { return kind_ == Kind::local; }
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

  // The address in network order, 4 or 16 bytes, or process and user in 8 bytes.
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;

  // "192.0.2.1", "fe80::1%2" or "pid=4711,uid=1000".
  [[nodiscard]] std::string host() const;
  // The name of the interface, such as "eth0"; empty if there is none. Unlike the index, the name
  // stays the same after a restart of the host.
  [[nodiscard]] std::string interface() const;
  // "192.0.2.1:2003", "[fe80::1%2]:2003" or "unix:pid=4711,uid=1000".
  [[nodiscard]] std::string text() const;

  bool operator==(const SocketAddress&) const noexcept = default;

 private:
  constexpr SocketAddress(std::uint16_t port, Kind kind) noexcept : port_(port), kind_(kind) {}

  std::array<std::uint8_t, 16> bytes_{};  // The first ones are those of bytes(), the others 0.
  std::uint32_t scope_id_ = 0;            // Interface index of a link-local IPv6 address.
  std::uint16_t port_ = 0;                // Host order.
  Kind kind_ = Kind::v4;
};

static_assert(sizeof(SocketAddress) == 24, "one per connection: keep it small");

}  // namespace echod
