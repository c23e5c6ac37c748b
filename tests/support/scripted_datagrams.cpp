// The datagrams of a script: recvmmsg(2) gives them, sendmmsg(2) must send them.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "scripted_syscalls.hpp"

namespace echod::test {

namespace {

bool is_v6(const std::string& host) {
  return host.find(':') != std::string::npos;
}

// Writes control messages into the space that the caller has for them.
class ControlSpace {
 public:
  explicit ControlSpace(msghdr& message) : message_(message), space_(message.msg_controllen) {
    message_.msg_controllen = 0;
  }
  template <typename Value>
  void add(int level, int type, const Value& value) {
    if (message_.msg_controllen + CMSG_SPACE(sizeof value) > space_) {
      message_.msg_flags |= MSG_CTRUNC;
      return;
    }
    cmsghdr header{};
    header.cmsg_len = CMSG_LEN(sizeof value);
    header.cmsg_level = level;
    header.cmsg_type = type;
    char* const place = static_cast<char*>(message_.msg_control) + message_.msg_controllen;
    std::memcpy(place, &header, sizeof header);
    std::memcpy(place + CMSG_LEN(0), &value, sizeof value);
    message_.msg_controllen += CMSG_SPACE(sizeof value);
  }

 private:
  msghdr& message_;
  std::size_t space_;
};

void add_arrival(const Datagram& datagram, ControlSpace& control) {
  const std::string sent_to = datagram.sent_to.empty() ? datagram.local : datagram.sent_to;
  if (is_v6(datagram.local)) {
    in6_pktinfo info{};
    EXPECT_EQ(inet_pton(AF_INET6, sent_to.c_str(), &info.ipi6_addr), 1);
    info.ipi6_ifindex = datagram.interface;
    control.add(IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else {
    in_pktinfo info{};
    EXPECT_EQ(inet_pton(AF_INET, datagram.local.c_str(), &info.ipi_spec_dst), 1);
    EXPECT_EQ(inet_pton(AF_INET, sent_to.c_str(), &info.ipi_addr), 1);
    info.ipi_ifindex = static_cast<int>(datagram.interface);
    control.add(IPPROTO_IP, IP_PKTINFO, info);
  }
}

void give(const Datagram& datagram, mmsghdr& into) {
  msghdr& message = into.msg_hdr;
  const iovec& piece = *message.msg_iov;
  const std::size_t length = std::min(datagram.bytes.size(), piece.iov_len);
  std::memcpy(piece.iov_base, datagram.bytes.data(), length);
  into.msg_len = static_cast<unsigned>(length);
  message.msg_flags = datagram.flags;
  sockaddr_storage peer = address_of(datagram.peer, datagram.port);
  if (is_v6(datagram.peer)) {
    reinterpret_cast<sockaddr_in6&>(peer).sin6_scope_id = datagram.scope;
  }
  message.msg_namelen = sizeof peer;
  std::memcpy(message.msg_name, &peer, sizeof peer);
  if (datagram.control) {
    message.msg_controllen = std::min(datagram.control->size(), message.msg_controllen);
    std::memcpy(message.msg_control, datagram.control->data(), message.msg_controllen);
    return;
  }
  ControlSpace control(message);
  if (!datagram.local.empty()) {
    add_arrival(datagram, control);
  }
  if (datagram.segment > 0) {
    control.add(IPPROTO_UDP, UDP_GRO, datagram.segment);
  }
}

template <typename Address>
std::string host_of(int family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family, &address, text.data(), text.size());
}

void read_sent_control(const cmsghdr& header, Datagram& datagram) {
  if (header.cmsg_type == IP_PKTINFO && header.cmsg_level == IPPROTO_IP) {
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(&header), sizeof info);
    datagram.local = host_of(AF_INET, info.ipi_spec_dst);
    datagram.interface = static_cast<unsigned>(info.ipi_ifindex);
  } else if (header.cmsg_type == IPV6_PKTINFO && header.cmsg_level == IPPROTO_IPV6) {
    in6_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(&header), sizeof info);
    datagram.local = host_of(AF_INET6, info.ipi6_addr);
    datagram.interface = info.ipi6_ifindex;
  } else if (header.cmsg_type == UDP_SEGMENT && header.cmsg_level == IPPROTO_UDP) {
    std::uint16_t segment = 0;
    std::memcpy(&segment, CMSG_DATA(&header), sizeof segment);
    datagram.segment = segment;
  } else {
    ADD_FAILURE() << "unknown control message " << header.cmsg_level << ' ' << header.cmsg_type;
  }
}

Datagram sent_datagram(msghdr& message) {
  Datagram datagram;
  datagram.bytes.assign(static_cast<const char*>(message.msg_iov->iov_base),
                        message.msg_iov->iov_len);
  sockaddr_storage peer{};
  std::memcpy(&peer, message.msg_name, std::min<std::size_t>(message.msg_namelen, sizeof peer));
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
  datagram.port = ntohs(v4.sin_port);  // IPv6 has the port at the same offset.
  datagram.peer =
      peer.ss_family == AF_INET6 ? host_of(AF_INET6, v6.sin6_addr) : host_of(AF_INET, v4.sin_addr);
  datagram.scope = peer.ss_family == AF_INET6 ? v6.sin6_scope_id : 0;
  datagram.local.clear();
  datagram.interface = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    read_sent_control(*header, datagram);
  }
  return datagram;
}

// Everything that a sender decides.
std::string sent_text(const Datagram& datagram) {
  constexpr std::size_t kShown = 20;
  return '"' + datagram.bytes.substr(0, kShown) + "\" (" + std::to_string(datagram.bytes.size()) +
         " bytes, hash " + std::to_string(std::hash<std::string>{}(datagram.bytes)) +
         ", segments of " + std::to_string(datagram.segment) + ") from " + datagram.local + '%' +
         std::to_string(datagram.interface) + " to " + datagram.peer + '%' +
         std::to_string(datagram.scope) + " port " + std::to_string(datagram.port);
}

}  // namespace

Step& ScriptedKernel::expect_recvmmsg(int fd, std::vector<Datagram> datagrams,
                                      std::optional<std::int64_t> most, Where where) {
  Step step(Call::recvmmsg, fd);
  step.result = static_cast<std::int64_t>(datagrams.size());
  step.argument = most;
  step.datagrams = std::move(datagrams);
  return add(std::move(step), where);
}

Step& ScriptedKernel::expect_recvmmsg_error(int fd, int error, Where where) {
  return add(Step(Call::recvmmsg, fd).failing(error), where);
}

Step& ScriptedKernel::expect_sendmmsg(int fd, std::vector<Datagram> datagrams,
                                      std::optional<std::size_t> takes, Where where) {
  Step step(Call::sendmmsg, fd);
  step.result = static_cast<std::int64_t>(takes.value_or(datagrams.size()));
  step.datagrams = std::move(datagrams);
  return add(std::move(step), where);
}

Step& ScriptedKernel::expect_sendmmsg_error(int fd, int error, Where where) {
  return add(Step(Call::sendmmsg, fd).failing(error), where);
}

int ScriptedKernel::on_recvmmsg(int fd, mmsghdr* messages, unsigned count) {
  const std::string text =
      "recvmmsg(fd " + std::to_string(fd) + ", at most " + std::to_string(count) + ')';
  const std::optional<Step> step =
      take({.call = Call::recvmmsg, .fd = fd, .length = count, .argument = count}, text, true);
  if (!step) {
    errno = EAGAIN;
    return -1;
  }
  if (step->datagrams.size() > count || step->argument.value_or(count) != count) {
    mismatch(*step, text);
    errno = EAGAIN;
    return -1;
  }
  for (std::size_t i = 0; i < step->datagrams.size(); ++i) {
    give(step->datagrams[i], messages[i]);
  }
  return static_cast<int>(finish(*step));
}

int ScriptedKernel::on_sendmmsg(int fd, mmsghdr* messages, unsigned count) {
  const std::string text = "sendmmsg(fd " + std::to_string(fd) + ", " + std::to_string(count) + ')';
  std::vector<Datagram> sent;
  for (mmsghdr& message : std::span(messages, count)) {
    sent.push_back(sent_datagram(message.msg_hdr));
  }
  const std::optional<Step> step = take(
      {.call = Call::sendmmsg, .fd = fd, .length = count, .argument = count, .datagrams = &sent},
      text, true);
  if (!step) {
    errno = EAGAIN;
    return -1;
  }
  const std::vector<Datagram>& expected = step->datagrams;
  if (step->error == 0 && !step->any_bytes) {
    EXPECT_EQ(count, expected.size()) << text;
  }
  for (std::size_t i = 0; i < std::min(sent.size(), expected.size()); ++i) {
    EXPECT_EQ(sent_text(sent[i]), sent_text(expected[i])) << text;
  }
  return static_cast<int>(finish(*step));
}

}  // namespace echod::test
