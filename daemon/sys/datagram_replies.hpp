// Sends datagrams in batches: one sendmmsg(2) for several.
//
// A reply is a datagram, or a train, which the kernel cuts into datagrams of the same size
// (UDP_SEGMENT, udp(7)).
//
// Borrows the bytes. Thread-safety: none. Never blocks, never allocates.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "config/net/socket_address.hpp"
#include "sys/io_result.hpp"

namespace echod::sys {

struct DatagramReply {
  std::span<const std::byte> bytes;
  std::size_t segment_bytes = 0;  // Of each datagram of a train; 0: it is a single datagram.
  SocketAddress peer;
  SocketAddress local;  // The address from which it is sent; one of this host.

  [[nodiscard]] std::size_t count() const noexcept {
    return segment_bytes == 0 ? 1 : (bytes.size() + segment_bytes - 1) / segment_bytes;
  }
};

class DatagramReplies {
 public:
  static constexpr std::size_t kMost = 64;
  // What every kernel with UDP_SEGMENT sends as one train: UDP_MAX_SEGMENTS was 64 before Linux
  // 6.9, and the bytes of a train fit into one IPv4 datagram.
  static constexpr std::size_t kMostSegments = 64;
  static constexpr std::size_t kMostTrainBytes = 65507;

  DatagramReplies() noexcept;
  DatagramReplies(const DatagramReplies&) = delete;
  DatagramReplies& operator=(const DatagramReplies&) = delete;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool is_full() const noexcept { return size_ == kMost; }
  void clear() noexcept { size_ = 0; }
  // Must not be called if is_full(). The bytes must stay until the reply is sent.
  void add(const DatagramReply& reply) noexcept;
  [[nodiscard]] const DatagramReply& at(std::size_t index) const noexcept {
    return replies_[index];
  }

  // Sends the replies from `first` on. Returns how many the kernel took, at least one; else the
  // errno for the reply `first`: sendmmsg(2) stops before a reply that cannot be sent. Retries
  // after EINTR.
  IoResult send(int fd, std::size_t first) noexcept;

 private:
  static constexpr std::size_t kControlBytes =
      CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t));

  struct alignas(cmsghdr) Control {
    std::array<std::byte, kControlBytes> bytes;
  };

  std::size_t size_ = 0;
  std::array<DatagramReply, kMost> replies_{};
  std::array<mmsghdr, kMost> messages_{};
  std::array<iovec, kMost> pieces_{};
  std::array<sockaddr_storage, kMost> peers_{};
  std::array<Control, kMost> controls_{};
};

}  // namespace echod::sys
