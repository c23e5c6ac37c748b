// Code that the C++ peers share, so that each file shows only the use of its library: their first
// argument, the limit of open files, and a listener for peers that use sockets directly.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace peers {

constexpr int kBacklog = 1024;
// The read size of echod, so that the benchmark does not compare sizes of buffers.
constexpr std::size_t kBufferSize = 128UL * 1024;
constexpr int kCannotRunHere = 77;  // The exit code of a peer that this machine does not allow.

[[noreturn]] inline void fail(const char* what) {
  std::perror(what);
  std::exit(EXIT_FAILURE);
}

// Returns an argument that must be a number from 1 to `max`. Otherwise prints an error and exits.
inline std::uint32_t number_argument(int argc, char** argv, int index, std::uint32_t max) {
  const unsigned long value = index < argc ? std::strtoul(argv[index], nullptr, 10) : 0;
  if (value == 0 || value > max) {
    (void)std::fprintf(stderr, "%s: argument %d must be a number from 1 to %u\n", argv[0], index,
                       max);
    std::exit(64);
  }
  return static_cast<std::uint32_t>(value);
}

inline std::uint16_t port_argument(int argc, char** argv) {
  return static_cast<std::uint16_t>(number_argument(argc, argv, 1, UINT16_MAX));
}

inline void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    // A failure is ignored: it only means that fewer connections fit.
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
}

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// `flags` of these functions: SOCK_NONBLOCK or 0.

inline int listen_at(const char* path, int flags) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (listener < 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kBacklog) != 0) {
    fail("listen");
  }
  return listener;
}

// Accepted sockets inherit TCP_NODELAY.
inline int listen_on(std::uint16_t port, int flags) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  const sockaddr_in address = loopback(port);
  const int on = 1;
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kBacklog) != 0) {
    fail("listen");
  }
  return listener;
}

// The first argument is a port on 127.0.0.1, or the path of a UNIX stream socket.
inline int listen_on_argument(int argc, char** argv, int flags) {
  const bool is_path = argc > 1 && argv[1][0] == '/';
  return is_path ? listen_at(argv[1], flags) : listen_on(port_argument(argc, argv), flags);
}

}  // namespace peers
