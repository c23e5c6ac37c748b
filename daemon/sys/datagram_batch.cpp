#include "sys/datagram_batch.hpp"

#include <netinet/udp.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "sys/retry_on_eintr.hpp"
#include "sys/syscalls.hpp"

namespace echod::sys {

namespace {

// Reads the value of a control message, unless the message is shorter.
template <typename Value>
std::optional<Value> control_value(const cmsghdr& header) noexcept {
  if (header.cmsg_len < CMSG_LEN(sizeof(Value))) {
    return std::nullopt;
  }
  Value value{};
  std::memcpy(&value, CMSG_DATA(&header), sizeof value);
  return value;
}

template <typename Address>
SocketAddress local_address(const Address& address, unsigned interface) noexcept {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&address);
  // Cannot fail: the length is that of an address.
  return *SocketAddress::from_parts({bytes, sizeof address}, interface, 0);
}

// The address in the header of a broadcast or multicast differs from that of this host. The latter
// is unknown if the datagram came before IP_PKTINFO was set on a passed socket; the kernel refuses
// to send from a broadcast address.
void read_v4(const in_pktinfo& info, ReceivedDatagrams& datagrams) noexcept {
  const bool is_known = info.ipi_spec_dst.s_addr != INADDR_ANY;
  datagrams.local = local_address(is_known ? info.ipi_spec_dst : info.ipi_addr, 0);
  datagrams.is_unicast =
      is_known ? info.ipi_addr.s_addr == info.ipi_spec_dst.s_addr : datagrams.local.is_unicast();
}

// An IPv4-mapped address has come with in_pktinfo, which knows more. Only a link-local address
// needs its interface: any other would be bound to the route of the request.
void read_v6(const in6_pktinfo& info, ReceivedDatagrams& datagrams) noexcept {
  if (IN6_IS_ADDR_V4MAPPED(&info.ipi6_addr)) {
    return;
  }
  const bool is_link_local = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr);
  datagrams.local = local_address(info.ipi6_addr, is_link_local ? info.ipi6_ifindex : 0);
  datagrams.is_unicast = datagrams.local.is_unicast();
}

void read_control(const cmsghdr& header, ReceivedDatagrams& datagrams) noexcept {
  if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO) {
    if (const auto info = control_value<in_pktinfo>(header)) {
      read_v4(*info, datagrams);
    }
  } else if (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_PKTINFO) {
    if (const auto info = control_value<in6_pktinfo>(header)) {
      read_v6(*info, datagrams);
    }
  } else if (header.cmsg_level == IPPROTO_UDP && header.cmsg_type == UDP_GRO) {
    const auto segment_bytes = control_value<int>(header);
    if (segment_bytes && *segment_bytes > 0) {
      datagrams.segment_bytes = static_cast<std::size_t>(*segment_bytes);
    }
  }
}

}  // namespace

DatagramBatch::DatagramBatch()
    : slots_(std::make_unique_for_overwrite<std::byte[]>(kMost * kSlotBytes)) {  // NOLINT(*-arrays)
  for (std::size_t slot = 0; slot < kMost; ++slot) {
    pieces_[slot] = {.iov_base = slots_.get() + slot * kSlotBytes, .iov_len = kSlotBytes};
    msghdr& header = messages_[slot].msg_hdr;
    header.msg_name = &peers_[slot];
    header.msg_iov = &pieces_[slot];
    header.msg_iovlen = 1;
    header.msg_control = &controls_[slot];
  }
}

IoResult DatagramBatch::receive(int fd, std::size_t most) noexcept {
  most = std::clamp<std::size_t>(most, 1, kMost);
  for (std::size_t slot = 0; slot < most; ++slot) {
    messages_[slot].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    messages_[slot].msg_hdr.msg_controllen = kControlBytes;
  }
  return retry_on_eintr([&] {
    return calls::recvmmsg(fd, messages_.data(), static_cast<unsigned>(most), MSG_DONTWAIT);
  });
}

ReceivedDatagrams DatagramBatch::at(std::size_t slot) const noexcept {
  const mmsghdr& message = messages_[slot];
  ReceivedDatagrams datagrams;
  datagrams.bytes = {slots_.get() + slot * kSlotBytes,
                     std::min<std::size_t>(message.msg_len, kSlotBytes)};
  datagrams.peer = SocketAddress::from(peers_[slot]);
  // CMSG_NXTHDR takes a header that can be written to.
  msghdr header = message.msg_hdr;
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    read_control(*control, datagrams);
  }
  const bool has_local = !datagrams.local.is_any();
  if (datagrams.segment_bytes >= datagrams.bytes.size()) {
    datagrams.segment_bytes = 0;  // A train of one.
  }
  const int cut = header.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
  datagrams.is_whole = cut == 0 && has_local;
  return datagrams;
}

}  // namespace echod::sys
