// Reserves a TCP port, for IPv4 and IPv6. The kernel gives it to no other socket, but a socket with
// SO_REUSEADDR, as echod's, can bind to it by number. For a test that must know the port before
// echod listens, or that needs it to be free on several addresses.
// Thread-safety: none.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "ipv6.hpp"

namespace echod::test {

class ReservedPort {
 public:
  ReservedPort() : fd_(socket(family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    const int off = 0;
    sockaddr_in6 address{};  // Any address, any port. A sockaddr_in fits into it.
    address.sin6_family = family();
    socklen_t length = family() == AF_INET6 ? sizeof address : sizeof(sockaddr_in);
    if (setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (family() == AF_INET6 &&
         setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::system_error(errno, std::system_category(), "port of the test");
    }
    port_ = ntohs(address.sin6_port);  // A sockaddr_in has the port at the same offset.
  }
  ~ReservedPort() { (void)close(fd_); }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  [[nodiscard]] static sa_family_t family() { return has_ipv6() ? AF_INET6 : AF_INET; }

  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace echod::test
