// A UDP port of the client (udp(7)). It has two sockets: one connected to the server, and a second
// one that receives what all other addresses send to the port. So an answer from a wrong address is
// detected. send() and receive() of sys/stream_socket.hpp work for both sockets; on the connected
// one they report ICMP errors.
//
// Owns both sockets. Thread-safety: none. Never blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "config/net/socket_address.hpp"
#include "sys/io_result.hpp"
#include "sys/unique_fd.hpp"

namespace echod::sys {

// The most bytes of a datagram over IPv4.
inline constexpr std::size_t kLongestDatagram = 65507;

// A datagram that did not come from the server's address.
struct Stray {
  IoResult result = IoResult::failure(EAGAIN);  // Its size.
  SocketAddress sender;                         // Set if the result is ok.
};

class ClientDatagramSocket {
 public:
  // The most datagrams of a train. Kernels before 6.9 send no more at once.
  static constexpr std::size_t kLongestTrain = 64;

  // Opens nothing.
  ClientDatagramSocket() = default;

  // Opens both sockets. `local` is the local address; with port 0 the kernel chooses a free port.
  // Asks for a receive buffer of `buffer_bytes`, which the kernel limits (net.core.rmem_max).
  // Returns 0 or an errno: EACCES if the port needs CAP_NET_BIND_SERVICE.
  [[nodiscard]] int open(const SocketAddress& server, const SocketAddress& local,
                         int buffer_bytes) noexcept;
  void close() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return fd_.is_open(); }
  // The connected socket, and the other one.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] int stray_fd() const noexcept { return stray_fd_.get(); }

  // Makes the kernel cut the bytes of each send into datagrams of `bytes` bytes; the last one may
  // be shorter (UDP_SEGMENT). With 0, sends are not cut. Returns false if the kernel cannot do
  // this.
  [[nodiscard]] bool set_segment(std::size_t bytes) const noexcept;

  // Lets the kernel hand the datagrams of a train over at once (UDP_GRO, StampedRead). Without it,
  // the kernel cuts the train; on loopback that costs the server's time. No-op if the kernel cannot
  // do this.
  void accept_trains() const noexcept;

  // Reads a datagram that another address sent. EAGAIN if there is none.
  [[nodiscard]] Stray receive_stray(std::span<std::byte> into) const noexcept;
  // How many datagrams from the server the kernel has dropped because the receive buffer was full
  // (SO_MEMINFO). 0 if the kernel does not count them.
  [[nodiscard]] std::uint32_t dropped() const noexcept;

 private:
  [[nodiscard]] IoResult open_connected(const SocketAddress& server, const SocketAddress& local,
                                        int buffer_bytes) noexcept;
  [[nodiscard]] IoResult open_stray(const SocketAddress& local) noexcept;

  UniqueFd fd_;
  UniqueFd stray_fd_;
};

// The wildcard address of the family of `server`, with `port`.
[[nodiscard]] SocketAddress any_local_address(const SocketAddress& server,
                                              std::uint16_t port = 0) noexcept;

}  // namespace echod::sys
