// Receives datagrams in batches: one recvmmsg(2) for several.
//
// A slot of a batch holds a datagram, or a train: datagrams of the same client and of the same
// size, which the kernel hands over as one (UDP_GRO, udp(7)). The last datagram of a train may be
// shorter.
//
// Owns 1 MiB of slots; the kernel provides a page of it when the page is first written to.
// Thread-safety: none. Never blocks. Only the constructor allocates, and throws std::bad_alloc.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "config/net/socket_address.hpp"
#include "sys/io_result.hpp"

namespace echod::sys {

// A datagram or a train. The bytes are valid until the next receive().
struct ReceivedDatagrams {
  std::span<const std::byte> bytes;
  std::size_t segment_bytes = 0;  // Of each datagram of a train; 0: it is a single datagram.
  SocketAddress peer;
  SocketAddress local;      // The address from which the echo must come. Its port is 0.
  bool is_unicast = false;  // It was sent to that address, not to a broadcast or multicast address.
  bool is_whole = false;    // If false, it was truncated or its facts are missing: do not use it.

  [[nodiscard]] std::size_t count() const noexcept {
    return segment_bytes == 0 ? 1 : (bytes.size() + segment_bytes - 1) / segment_bytes;
  }
};

class DatagramBatch {
 public:
  static constexpr std::size_t kMost = 16;
  // No datagram and no train is longer than 65 535 bytes.
  static constexpr std::size_t kSlotBytes = std::size_t{64} * 1024;

  DatagramBatch();

  // Receives at most `most` datagrams or trains, 1 to kMost. Returns the number; fewer than `most`
  // means that the queue was empty. Fails with EAGAIN if there is none. Retries after EINTR.
  IoResult receive(int fd, std::size_t most) noexcept;
  [[nodiscard]] ReceivedDatagrams at(std::size_t slot) const noexcept;

 private:
  // For IP_PKTINFO, IPV6_PKTINFO and UDP_GRO, and for what the creator of a passed socket may have
  // asked for.
  static constexpr std::size_t kControlBytes = 256;

  struct alignas(cmsghdr) Control {
    std::array<std::byte, kControlBytes> bytes;
  };

  std::unique_ptr<std::byte[]> slots_;  // NOLINT(*-avoid-c-arrays): not initialised, unlike vector.
  std::array<mmsghdr, kMost> messages_{};
  std::array<iovec, kMost> pieces_{};
  std::array<sockaddr_storage, kMost> peers_{};
  std::array<Control, kMost> controls_{};
};

}  // namespace echod::sys
