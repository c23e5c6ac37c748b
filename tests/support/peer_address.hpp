// The address of a server, for the clients of the tests.
// Thread-safety: values.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace echod::test {

struct PeerAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// Throws std::invalid_argument if `host` is no IP address.
[[nodiscard]] inline PeerAddress address_at(const std::string& host, std::uint16_t port) {
  PeerAddress address;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
    return address;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) {
    throw std::invalid_argument(host + " is no address");
  }
  std::memcpy(&address.storage, &v6, sizeof v6);
  address.length = sizeof v6;
  return address;
}

// Throws std::invalid_argument if `path` is too long.
[[nodiscard]] inline sockaddr_un local_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw std::invalid_argument(path + " is too long for a socket");
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace echod::test
