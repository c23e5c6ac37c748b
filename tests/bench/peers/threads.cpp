// Echo with a thread for each connection: blocking accept, then blocking recv and send in a
// detached thread with its buffer on the stack.
// Limits: the number of threads (ulimit -u, kernel.threads-max, the pids of a control group), and
// two memory mappings for each (vm.max_map_count, which allows about 32 000). If a thread cannot be
// started, the connection is closed.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include "peer_socket.hpp"

namespace {

bool send_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0) {
      return false;
    }
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

void echo(int fd) {
  std::array<char, peers::kBufferSize> buffer;  // Uninitialised: that touches no pages.
  for (;;) {
    const ssize_t received = recv(fd, buffer.data(), buffer.size(), 0);
    if (received <= 0 || !send_all(fd, buffer.data(), static_cast<std::size_t>(received))) {
      break;
    }
  }
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  const int listener = peers::listen_on(peers::address_argument(argc, argv), 0);
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      continue;
    }
    try {
      std::thread(echo, fd).detach();
    } catch (const std::system_error&) {
      close(fd);
    }
  }
}
