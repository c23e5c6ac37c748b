// udp_loop ADDRESS PORT
// Echoes UDP datagrams with one blocking recvfrom and one sendto for each.
// Limits: bound to 0.0.0.0 it answers from the address that the kernel chooses, which may not be
// the one that was asked.
#include <sys/socket.h>

#include <array>
#include <cstddef>

#include "peer_datagrams.hpp"

int main(int argc, char** argv) {
  const int fd = peers::bound_datagrams(argc, argv, 0);
  static std::array<char, peers::kDatagramBytes> datagram;
  for (;;) {
    sockaddr_storage source{};
    socklen_t length = sizeof source;
    auto* const from = reinterpret_cast<sockaddr*>(&source);
    const ssize_t count = recvfrom(fd, datagram.data(), datagram.size(), 0, from, &length);
    if (count >= 0) {
      (void)sendto(fd, datagram.data(), static_cast<std::size_t>(count), 0, from, length);
    }
  }
}
