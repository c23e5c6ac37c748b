#include "sys/datagram_replies.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

// Writes control messages one behind the other.
class ControlWriter {
 public:
  explicit ControlWriter(std::span<std::byte> space) noexcept : space_(space) {}

  template <typename Value>
  void add(int level, int type, const Value& value) noexcept {
    const cmsghdr header{
        .cmsg_len = CMSG_LEN(sizeof value), .cmsg_level = level, .cmsg_type = type};
    std::byte* const place = space_.data() + used_;
    std::memset(place, 0, CMSG_SPACE(sizeof value));
    std::memcpy(place, &header, sizeof header);
    std::memcpy(place + CMSG_LEN(0), &value, sizeof value);
    used_ += CMSG_SPACE(sizeof value);
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::span<std::byte> space_;
  std::size_t used_ = 0;
};

// The interface stays 0: the route to the peer decides (ip(7)). Only a link-local address has one.
void add_local(ControlWriter& control, const SocketAddress& local) noexcept {
  if (local.is_v6()) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.bytes().data(), sizeof info.ipi6_addr);
    info.ipi6_ifindex = local.scope_id();
    control.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.bytes().data(), sizeof info.ipi_spec_dst);
    control.add(IPPROTO_IP, IP_PKTINFO, info);
  }
}

}  // namespace

DatagramReplies::DatagramReplies() noexcept {
  for (std::size_t i = 0; i < kMost; ++i) {
    msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &peers_[i];
    header.msg_iov = &pieces_[i];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[i];
  }
}

// An IPv6 socket sends to a plain IPv4 address too.
void DatagramReplies::add(const DatagramReply& reply) noexcept {
  const std::size_t i = size_++;
  replies_[i] = reply;
  // The kernel only reads them.
  pieces_[i] = {.iov_base = const_cast<std::byte*>(reply.bytes.data()),  // NOLINT(*-const-cast)
                .iov_len = reply.bytes.size()};
  ControlWriter control(controls_[i].bytes);
  add_local(control, reply.local);
  if (reply.segment_bytes > 0) {
    control.add(IPPROTO_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(reply.segment_bytes));
  }
  msghdr& header = messages_[i].msg_hdr;
  header.msg_namelen = reply.peer.to(peers_[i]);
  header.msg_controllen = control.used();
}

IoResult DatagramReplies::send(int fd, std::size_t first) noexcept {
  return retry_on_eintr([&] {
    return calls::sendmmsg(fd, messages_.data() + first, static_cast<unsigned>(size_ - first),
                           MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

}  // namespace echod::sys
