// datagrams PORT
// Echoes UDP datagrams with one blocking recvfrom and one sendto for each.
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "peer_socket.hpp"

int main(int argc, char** argv) {
  const sockaddr_in address = peers::loopback(peers::port_argument(argc, argv));
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int bytes = 1024 * 1024;  // As much as echod asks for.
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    peers::fail("bind");
  }
  static std::array<char, 65536> datagram;
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
