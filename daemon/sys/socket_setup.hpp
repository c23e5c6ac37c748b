// Sets up sockets; each failure throws std::system_error that names the call or the option.
//
// Borrows the descriptors. Thread-safety: no shared state. Never blocks.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "config/net/socket_address.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

inline void require(int returned, const char* call) {
  if (returned < 0) {
    throw std::system_error(errno, std::system_category(), call);
  }
}

inline void set_option(int fd, int level, int option, int value, const char* name) {
  require(calls::setsockopt(fd, level, option, &value, sizeof value), name);
}

[[nodiscard]] inline int int_option(int fd, int level, int option, const char* name) {
  int value = 0;
  socklen_t length = sizeof value;
  require(calls::getsockopt(fd, level, option, &value, &length), name);
  return value;
}

inline void bind_to(int fd, const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.to(storage);
  require(calls::bind(fd, reinterpret_cast<const sockaddr*>(&storage), length), "bind");
}

[[nodiscard]] inline SocketAddress bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  require(calls::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length), "getsockname");
  return SocketAddress::from(storage);
}

// Whether `error`, from opening a socket on "::", means that the host has no IPv6.
[[nodiscard]] inline bool is_v6_missing(int error) noexcept {
  return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

// Whether a socket on `address` serves IPv4 too, and may fall back to 0.0.0.0.
[[nodiscard]] inline bool serves_both(const SocketAddress& address, bool v6only) noexcept {
  return address.is_v6() && address.is_any() && !v6only;
}

}  // namespace echod::sys
