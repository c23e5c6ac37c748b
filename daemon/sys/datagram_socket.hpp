// Opens the UDP sockets of a [[listen]]: one for each worker, all on one address.
//
// The kernel spreads the flows over the sockets of an address (SO_REUSEPORT, socket(7)): all
// datagrams from one port to one address reach the same socket. A socket that is opened later takes
// some flows over. A socket that is closed loses what is in its queue.
//
// Thread-safety: no shared state. Never blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "config/net/socket_address.hpp"
#include "sys/listen_socket.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

struct DatagramSocket {
  UniqueFd fd;
  SocketAddress address;         // The bound address, with the real port if port 0 was requested.
  bool fell_back_to_v4 = false;  // "::" was requested, and the host has no IPv6.
  bool is_passed = false;        // Another process opened it and may have it open too.
  std::uint32_t receive_buffer_bytes = 0;  // As the kernel reports it: twice the size that was set.
  std::uint32_t dropped_before = 0;        // Dropped before this process had it (DatagramQueue).
  // Dropped by this process until note_dropped(): the kernel forgets the number with the socket.
  std::shared_ptr<std::atomic<std::uint32_t>> noted_dropped =
      std::make_shared<std::atomic<std::uint32_t>>(0);
};

// Sizes of the kernel's buffers, in bytes. The kernel doubles them, for its own overhead.
struct DatagramBuffers {
  int receive_bytes = 0;
  int send_bytes = 0;
};

// The sizes for socket.receive_buffer_kib and send_buffer_kib. 0 means 1024 KiB: the kernel's
// default buffers hold only 256 small datagrams, or three trains.
[[nodiscard]] DatagramBuffers datagram_buffers(std::uint32_t receive_kib,
                                               std::uint32_t send_kib) noexcept;

// Opens a non-blocking socket. Fails if any socket is bound to the address, those of this process
// included; open_another_datagram_socket() adds sockets to the address. An IPv6 address serves IPv4
// too, unless `v6only` is set. "::" falls back to 0.0.0.0 on a host without IPv6. Throws
// std::system_error that names the failed call.
[[nodiscard]] DatagramSocket open_datagram_socket(const SocketAddress& address, bool v6only,
                                                  const DatagramBuffers& buffers);

// Opens one more socket on the address of `first`, which open_datagram_socket() returned. Throws
// std::system_error.
[[nodiscard]] DatagramSocket open_another_datagram_socket(const DatagramSocket& first, bool v6only,
                                                          const DatagramBuffers& buffers);

// Throws the std::system_error that open_datagram_socket() would throw now.
void require_datagrams_bindable(const SocketAddress& address, bool v6only);

// Returns nothing if `fd` is not a bound UDP socket. Throws std::system_error.
[[nodiscard]] std::optional<Binding> datagram_binding_of(int fd);

// Takes over a socket that another process opened, and may still have open, and sets it up like
// one of open_datagram_socket(). Throws std::system_error.
[[nodiscard]] DatagramSocket adopt_datagram_socket(UniqueFd fd, const DatagramBuffers& buffers);

// Sets the buffers of an open socket and notes their size. Throws std::system_error.
void set_datagram_buffers(DatagramSocket& socket, const DatagramBuffers& buffers);

// The size of the receive buffer that the kernel has granted; 0 if it is not known.
[[nodiscard]] std::uint32_t datagram_receive_buffer(int fd) noexcept;

// The receive queue of a socket (SO_MEMINFO).
struct DatagramQueue {
  std::uint32_t used_bytes = 0;  // Of the receive buffer.
  std::uint32_t dropped = 0;  // Datagrams that this socket has dropped, most because it was full.
};

// What is not known is 0.
[[nodiscard]] DatagramQueue datagram_queue(int fd) noexcept;

// Must be called before the last owner closes the socket, for DatagramWatch.
void note_dropped(const DatagramSocket& socket) noexcept;

// Tells about a socket without keeping it open. Thread-safety: any thread may use a const watch.
class DatagramWatch {
 public:
  explicit DatagramWatch(const std::shared_ptr<const DatagramSocket>& socket) noexcept
      : socket_(socket), noted_dropped_(socket->noted_dropped) {}

  [[nodiscard]] bool is_open() const noexcept { return !socket_.expired(); }
  // What this process has dropped. If the socket is closed, what it had dropped when it was closed.
  [[nodiscard]] DatagramQueue queue() const noexcept;

 private:
  std::weak_ptr<const DatagramSocket> socket_;
  std::shared_ptr<const std::atomic<std::uint32_t>> noted_dropped_;
};

}  // namespace echod::sys
