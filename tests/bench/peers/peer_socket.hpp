// Code that the C++ peers share, so that each file shows only the use of its library: their first
// argument, the limit of open files, and a listener for peers that use sockets directly.
#pragma once

#include <arpa/inet.h>
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
#include <string>

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

// Returns an argument that is PORT on 127.0.0.1, or ADDRESS:PORT. Otherwise prints an error and
// exits.
inline sockaddr_in address_argument(int argc, char** argv, int index = 1) {
  const std::string text = index < argc ? argv[index] : "";
  const std::size_t colon = text.find(':');
  const bool has_address = colon != std::string::npos;
  const std::string host = has_address ? text.substr(0, colon) : "127.0.0.1";
  const unsigned long port =
      std::strtoul(text.c_str() + (has_address ? colon + 1 : 0), nullptr, 10);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  if (port == 0 || port > UINT16_MAX || inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    (void)std::fprintf(stderr, "%s: argument %d must be PORT or ADDRESS:PORT\n", argv[0], index);
    std::exit(64);
  }
  return address;
}

inline void raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    // A failure is ignored: it only means that fewer connections fit.
    (void)setrlimit(RLIMIT_NOFILE, &limit);
  }
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
inline int listen_on(const sockaddr_in& address, int flags) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  const int on = 1;
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, kBacklog) != 0) {
    fail("listen");
  }
  return listener;
}

// The first argument is that of address_argument(), or the path of a UNIX stream socket.
inline int listen_on_argument(int argc, char** argv, int flags) {
  const bool is_path = argc > 1 && argv[1][0] == '/';
  return is_path ? listen_at(argv[1], flags) : listen_on(address_argument(argc, argv), flags);
}

}  // namespace peers
