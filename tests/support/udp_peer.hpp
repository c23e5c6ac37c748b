// A UDP client. It is not connected, so that it sees from which address an answer comes. Waits have
// a deadline. On an error it throws, which ends the test case.
// Thread-safety: none; distinct peers may be used from distinct threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "deadline.hpp"

namespace echod::test {

struct UdpPeerOptions {
  std::string host;        // To bind to; empty: any address of the server's family.
  std::uint16_t port = 0;  // To bind to.
  int receive_buffer_bytes = 4 << 20;
};

struct UdpAnswer {
  std::string bytes;
  std::string host;  // From where it came.
  std::uint16_t port = 0;
};

class UdpPeer {
 public:
  UdpPeer(std::string host, std::uint16_t port, const UdpPeerOptions& options = {});
  ~UdpPeer();
  UdpPeer(UdpPeer&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), host_(std::move(other.host_)), port_(other.port_) {}
  UdpPeer& operator=(UdpPeer&&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // The port that it is bound to.
  [[nodiscard]] std::uint16_t own_port() const;

  void send(const std::string& bytes) const;
  // Sends datagrams of `segment` bytes as a train (UDP_SEGMENT). Returns false if this kernel
  // refuses trains of this length.
  [[nodiscard]] bool sends_train(const std::string& bytes, std::uint16_t segment) const;
  // Waits for an answer; throws if none comes.
  [[nodiscard]] UdpAnswer receive(const Deadline& deadline = Deadline()) const;
  // Returns nothing if no answer has come.
  [[nodiscard]] std::optional<UdpAnswer> receive_now() const;
  // Whether what is sent comes back.
  [[nodiscard]] bool echoes(const std::string& bytes) const;

 private:
  int fd_ = -1;
  std::string host_;  // Of the server.
  std::uint16_t port_ = 0;
};

}  // namespace echod::test
