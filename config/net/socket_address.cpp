#include "config/net/socket_address.hpp"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <cstring>

#include "config/net/parse_number.hpp"

namespace echod {

namespace {

constexpr std::size_t kLocalBytes = sizeof(std::int32_t) + sizeof(std::uint32_t);

// Copies `text` to a C string of at most `capacity` bytes with the final 0, so that parsing
// allocates nothing. Returns nothing if it does not fit.
template <std::size_t capacity>
std::optional<std::array<char, capacity>> c_string(std::string_view text) noexcept {
  std::array<char, capacity> copy{};
  if (text.size() >= capacity) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), copy.begin());
  return copy;
}

// The index of an interface, given by name or by index; nothing if it is neither. A name of digits
// is looked up as a name first.
std::optional<std::uint32_t> scope_of(std::string_view zone) noexcept {
  const auto name = c_string<IF_NAMESIZE>(zone);
  const std::uint32_t index = name ? if_nametoindex(name->data()) : 0;
  return index != 0 ? index : parse_number<std::uint32_t>(zone);
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text,
                                                  std::uint16_t port) noexcept {
  if (text.find('\0') != std::string_view::npos) {
    return std::nullopt;  // inet_pton() would ignore the rest of the text.
  }
  SocketAddress address;
  address.port_ = port;
  const std::size_t percent = text.find('%');
  const auto host = c_string<INET6_ADDRSTRLEN>(text.substr(0, percent));
  if (!host) {
    return std::nullopt;
  }
  if (percent == std::string_view::npos &&
      inet_pton(AF_INET, host->data(), address.bytes_.data()) == 1) {
    return address;
  }
  address.kind_ = Kind::v6;
  if (percent != std::string_view::npos) {
    const auto scope = scope_of(text.substr(percent + 1));
    if (!scope) {
      return std::nullopt;
    }
    address.scope_id_ = *scope;
  }
  if (inet_pton(AF_INET6, host->data(), address.bytes_.data()) == 1) {
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
      address.kind_ = Kind::v6;
    }
  }
  return address;
}

SocketAddress SocketAddress::of_process(std::int32_t pid, std::uint32_t uid) noexcept {
  SocketAddress address;
  address.kind_ = Kind::local;
  std::memcpy(address.bytes_.data(), &pid, sizeof pid);
  std::memcpy(&address.bytes_[sizeof pid], &uid, sizeof uid);
  return address;
}

std::optional<SocketAddress> SocketAddress::from_parts(std::span<const std::uint8_t> bytes,
                                                       std::uint32_t scope_id,
                                                       std::uint16_t port) noexcept {
  SocketAddress address;
  switch (bytes.size()) {
    case sizeof(in_addr):
      break;
    case kLocalBytes:
      address.kind_ = Kind::local;
      break;
    case sizeof(in6_addr):
      address.kind_ = Kind::v6;
      break;
    default:
      return std::nullopt;
  }
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  address.scope_id_ = scope_id;
  address.port_ = port;
  return address;
}

socklen_t SocketAddress::to(sockaddr_storage& storage) const noexcept {
  storage = {};
  if (is_v6()) {
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

std::span<const std::uint8_t> SocketAddress::bytes() const noexcept {
  const std::span<const std::uint8_t> all(bytes_);
  switch (kind_) {
    case Kind::v4:
      return all.first(sizeof(in_addr));
    case Kind::local:
      return all.first(kLocalBytes);
    case Kind::v6:
      break;
  }
  return all;
}

bool SocketAddress::is_any() const noexcept {
  return std::all_of(bytes_.begin(), bytes_.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool SocketAddress::is_unicast() const noexcept {
  if (is_v6()) {
    return bytes_[0] != 0xFF;  // RFC 4291 section 2.7.
  }
  in_addr v4{};
  std::memcpy(&v4, bytes_.data(), sizeof v4);
  return !IN_MULTICAST(ntohl(v4.s_addr)) && v4.s_addr != INADDR_BROADCAST;
}

bool SocketAddress::is_v6_link_local() const noexcept {
  return is_v6() && bytes_[0] == 0xFE && (bytes_[1] & 0xC0) == 0x80;
}

std::string SocketAddress::host() const {
  if (is_local()) {
    std::int32_t pid = 0;
    std::uint32_t uid = 0;
    std::memcpy(&pid, bytes_.data(), sizeof pid);
    std::memcpy(&uid, &bytes_[sizeof pid], sizeof uid);
    return "pid=" + std::to_string(pid) + ",uid=" + std::to_string(uid);
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  // Cannot fail: the family is known and the buffer is large enough for either.
  (void)inet_ntop(is_v6() ? AF_INET6 : AF_INET, bytes_.data(), buffer.data(), buffer.size());
  std::string host(buffer.data());
  if (scope_id_ != 0) {
    host += '%' + std::to_string(scope_id_);
  }
  return host;
}

std::string SocketAddress::interface() const {
  std::array<char, IF_NAMESIZE> name{};
  return has_scope() && if_indextoname(scope_id_, name.data()) != nullptr ? name.data() : "";
}

std::string SocketAddress::text() const {
  if (is_local()) {
    return "unix:" + host();
  }
  const std::string port = std::to_string(port_);
  return is_v6() ? '[' + host() + "]:" + port : host() + ':' + port;
}

}  // namespace echod
