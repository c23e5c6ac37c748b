// Code that the C++ peers for UDP share: the arguments ADDRESS and PORT, and a socket bound to
// them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "peer_socket.hpp"

namespace peers {

constexpr std::size_t kDatagramBytes = 65536;  // More than any datagram has.
constexpr int kReceiveBuffer = 1024 * 1024;    // As much as echod asks for.

inline sockaddr_in datagram_address(int argc, char** argv) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (argc < 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
    (void)std::fprintf(stderr, "usage: %s ADDRESS PORT\n", argv[0]);
    std::exit(64);
  }
  address.sin_port = htons(static_cast<std::uint16_t>(number_argument(argc, argv, 2, UINT16_MAX)));
  return address;
}

// `flags`: SOCK_NONBLOCK or 0.
inline int bound_datagrams(int argc, char** argv, int flags) {
  const sockaddr_in address = datagram_address(argc, argv);
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind");
  }
  return fd;
}

}  // namespace peers
