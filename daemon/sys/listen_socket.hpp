// Opens listening TCP sockets, and accepts connections of TCP and UNIX sockets
// (sys/local_listener.hpp opens those).
//
// Thread-safety: no shared state; several threads may call accept() at the same time. Never blocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/net/socket_address.hpp"
#include "config/net/socket_options.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

struct ListenSocket {
  UniqueFd fd;
  std::string name{};            // Its address or path, in messages and for operators.
  SocketAddress address;         // The bound address, with the real port if port 0 was requested.
  std::string path{};            // Of a UNIX socket, which has no address; else empty.
  int backlog = 0;               // As requested; the kernel may have reduced it (accept_queue()).
  bool fell_back_to_v4 = false;  // "::" was requested, and the host has no IPv6.
  bool is_passed = false;        // Another process opened it and may have it open too.
  // What a passed socket had dropped before this process had it (AcceptQueue::dropped).
  std::uint32_t dropped_before = 0;
};

// Opens a non-blocking listener with SO_REUSEADDR and SO_OOBINLINE (urgent bytes are echoed like
// all others). An IPv6 address accepts IPv4 connections too, unless `v6only` is set. "::" falls
// back to 0.0.0.0 on a host without IPv6. Throws std::system_error that names the failed call.
[[nodiscard]] ListenSocket open_listener(const SocketAddress& address, int backlog, bool v6only,
                                         const SocketOptions& options);

// Throws the std::system_error that open_listener() would throw now. Does not listen: no client can
// connect meanwhile.
void require_bindable(const SocketAddress& address, bool v6only);

// The address of a listening socket that another process opened.
struct Binding {
  SocketAddress address;
  bool v6only = false;
  std::string path{};  // Of a UNIX socket.
};

// Returns nothing if `fd` is not a listening socket of TCP, nor a listening UNIX stream socket with
// a path. Throws std::system_error.
[[nodiscard]] std::optional<Binding> binding_of(int fd);

// Takes over a listening socket that another process opened, and may still have open, and sets it
// up like one of open_listener(). Throws std::system_error.
[[nodiscard]] ListenSocket adopt_listener(UniqueFd fd, int backlog, const SocketOptions& options);
// The same for a UNIX socket.
[[nodiscard]] ListenSocket adopt_local_listener(UniqueFd fd, std::string path, int backlog);

// Sets `options` on an open listener. Connections accepted from now on inherit them. Throws
// std::system_error.
void set_tcp_options(int fd, const SocketOptions& options);

// Sets `options` on a listener that may have had others: what is 0 becomes the kernel's default
// again. Throws std::system_error.
void replace_tcp_options(int fd, const SocketOptions& options);

// Sets the length of the accept queue of an open listener (listen(2) again). Throws
// std::system_error.
void set_backlog(int fd, int backlog);

struct Accepted {
  UniqueFd fd;  // Open if and only if `error` is 0; non-blocking, close-on-exec.
  SocketAddress peer;
  int error = 0;  // errno of accept4(2).
};

// Accepts one connection. Fails with EAGAIN if the accept queue is empty; retries after EINTR. The
// peer of a UNIX socket is the process that connected. Sets SO_OOBINLINE on a UNIX socket, which
// does not inherit it from the listener.
[[nodiscard]] Accepted accept(int listener) noexcept;

// Whether a connection is in the accept queue. Another thread may accept it first.
[[nodiscard]] bool has_client(int listener) noexcept;

// The accept queue of a listener.
struct AcceptQueue {
  std::uint32_t waiting = 0;  // Connections in it (TCP_INFO).
  // The backlog in force: listen(2) reduces it to net.core.somaxconn of the socket's network
  // namespace, which may be another than that of this process.
  std::uint32_t limit = 0;
  std::uint32_t dropped = 0;  // Connections and segments that this socket has dropped, most of them
                              // because the queue was full (SO_MEMINFO, SK_MEMINFO_DROPS).
};

// What is not known is 0; of a UNIX socket nothing is known.
[[nodiscard]] AcceptQueue accept_queue(int fd) noexcept;

}  // namespace echod::sys
