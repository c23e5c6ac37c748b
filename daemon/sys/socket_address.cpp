#include "socket_address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace echod::sys {

namespace {

// An interface by name or number; nothing if there is none of that name.
std::optional<std::uint32_t> scope_of(const char* zone) noexcept {
  std::uint32_t index = 0;
  const char* const end = zone + std::strlen(zone);
  if (const auto [stop, error] = std::from_chars(zone, end, index);
      error == std::errc{} && stop == end) {
    return index;
  }
  index = if_nametoindex(zone);
  return index == 0 ? std::nullopt : std::optional(index);
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text,
                                                  std::uint16_t port) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1 + IFNAMSIZ> host{};         // With the 0 that ends it.
  const bool has_zero = text.find('\0') != std::string_view::npos;  // It would hide what follows.
  if (has_zero || text.size() >= host.size()) {
    return std::nullopt;
  }
  (void)text.copy(host.data(), text.size());
  SocketAddress address;
  address.port_ = port;
  if (inet_pton(AF_INET, host.data(), address.bytes_.data()) == 1) {
    return address;
  }
  address.is_v6_ = true;
  if (const auto percent = text.find('%'); percent != std::string_view::npos) {
    const auto scope = scope_of(&host[percent + 1]);
    if (!scope) {
      return std::nullopt;
    }
    address.scope_id_ = *scope;
    host[percent] = '\0';
  }
  if (inet_pton(AF_INET6, host.data(), address.bytes_.data()) == 1) {
    return address;
  }
  return std::nullopt;
}

SocketAddress SocketAddress::from(const sockaddr_storage& storage) noexcept {
  SocketAddress address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    std::memcpy(address.bytes_.data(), &v4.sin_addr, sizeof v4.sin_addr);
    address.port_ = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    address.port_ = ntohs(v6.sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      constexpr std::size_t kMappedPrefix = 12;
      std::copy_n(&v6.sin6_addr.s6_addr[kMappedPrefix], sizeof(in_addr), address.bytes_.begin());
    } else {
      std::memcpy(address.bytes_.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
      address.scope_id_ = v6.sin6_scope_id;
      address.is_v6_ = true;
    }
  }
  return address;
}

socklen_t SocketAddress::to(sockaddr_storage& storage) const noexcept {
  storage = {};
  if (is_v6_) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port_);
    v6.sin6_scope_id = scope_id_;
    std::memcpy(&v6.sin6_addr, bytes_.data(), sizeof v6.sin6_addr);
    std::memcpy(&storage, &v6, sizeof v6);
    return sizeof v6;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port_);
  std::memcpy(&v4.sin_addr, bytes_.data(), sizeof v4.sin_addr);
  std::memcpy(&storage, &v4, sizeof v4);
  return sizeof v4;
}

bool SocketAddress::is_any() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string SocketAddress::host() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  // Cannot fail: the family is known and the buffer is large enough for either.
  (void)inet_ntop(is_v6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer.data(), buffer.size());
  std::string host(buffer.data());
  if (scope_id_ != 0) {
    host += '%' + std::to_string(scope_id_);
  }
  return host;
}

std::string SocketAddress::text() const {
  const std::string port = std::to_string(port_);
  return is_v6_ ? '[' + host() + "]:" + port : host() + ':' + port;
}

}  // namespace echod::sys
