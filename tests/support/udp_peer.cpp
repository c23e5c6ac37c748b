#include "udp_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "peer_address.hpp"

namespace echod::test {

namespace {

[[noreturn]] void give_up(const char* what, int error) {
  throw std::system_error(error, std::system_category(), std::string("UDP test client: ") + what);
}

std::string host_in(const sockaddr_storage& storage) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (storage.ss_family == AF_INET6) {
    return inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr,
                     text.data(), text.size());
  }
  return inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text.data(),
                   text.size());
}

// Both families have the port at the same offset.
std::uint16_t port_in(const sockaddr_storage& storage) {
  return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
}

}  // namespace

UdpPeer::UdpPeer(std::string host, std::uint16_t port, const UdpPeerOptions& options)
    : host_(std::move(host)), port_(port) {
  const bool is_v6 = host_.find(':') != std::string::npos;
  fd_ = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const std::string any = is_v6 ? "::" : "0.0.0.0";
  const PeerAddress own = address_at(options.host.empty() ? any : options.host, options.port);
  const int on = 1;
  if (fd_ < 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes,
                 sizeof options.receive_buffer_bytes) != 0 ||
      setsockopt(fd_, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) != 0 ||
      bind(fd_, reinterpret_cast<const sockaddr*>(&own.storage), own.length) != 0) {
    give_up("bind", errno);
  }
}

UdpPeer::~UdpPeer() {
  if (fd_ >= 0) {
    (void)::close(fd_);
  }
}

std::uint16_t UdpPeer::own_port() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    give_up("getsockname", errno);
  }
  return port_in(storage);
}

void UdpPeer::send(const std::string& bytes) const {
  const PeerAddress server = address_at(host_, port_);
  if (sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&server.storage),
             server.length) < 0) {
    give_up("sendto", errno);
  }
}

bool UdpPeer::sends_train(const std::string& bytes, std::uint16_t segment) const {
  const PeerAddress server = address_at(host_, port_);
  const int size = segment;
  const int off = 0;
  if (setsockopt(fd_, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size) != 0) {
    return false;
  }
  const bool is_sent =
      sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&server.storage),
             server.length) == static_cast<ssize_t>(bytes.size());
  (void)setsockopt(fd_, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off);
  return is_sent;
}

UdpAnswer UdpPeer::receive(const Deadline& deadline) const {
  pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, deadline.left_ms()) <= 0) {
    throw std::runtime_error("UDP test client: no answer");
  }
  const auto answer = receive_now();
  if (!answer) {
    throw std::runtime_error("UDP test client: no answer after all");
  }
  return *answer;
}

std::optional<UdpAnswer> UdpPeer::receive_now() const {
  std::vector<char> bytes(std::size_t{64} * 1024);
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  const ssize_t received =
      recvfrom(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
  if (received < 0) {
    return std::nullopt;
  }
  return UdpAnswer{.bytes = std::string(bytes.data(), static_cast<std::size_t>(received)),
                   .host = host_in(from),
                   .port = port_in(from)};
}

bool UdpPeer::echoes(const std::string& bytes) const {
  send(bytes);
  return receive().bytes == bytes;
}

}  // namespace echod::test
