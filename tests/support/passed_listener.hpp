// A listening socket that the test passes to echod, as a service manager does.
// Thread-safety: none.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "peer_address.hpp"

namespace echod::test {

class PassedListener {
 public:
  explicit PassedListener(int type = SOCK_STREAM) : fd_(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        (type == SOCK_STREAM && listen(fd_, kBacklog) != 0)) {
      throw std::system_error(errno, std::system_category(), "listening socket of the test");
    }
    port_ = ntohs(address.sin_port);
  }
  // A UNIX socket.
  explicit PassedListener(std::string path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), path_(std::move(path)) {
    const sockaddr_un address = local_address(path_);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd_, kBacklog) != 0) {
      throw std::system_error(errno, std::system_category(), "listening socket of the test");
    }
  }
  ~PassedListener() { (void)close(fd_); }
  PassedListener(const PassedListener&) = delete;
  PassedListener& operator=(const PassedListener&) = delete;

  static constexpr int kBacklog = 7;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Returns the configuration with which echod takes the socket.
  [[nodiscard]] std::string config(const std::string& more = "") const {
    return "[[listen]]\n" +
           (path_.empty() ? "address = \"127.0.0.1\"\nport = " + std::to_string(port_)
                          : "path = \"" + path_ + '"') +
           '\n' + more;
  }
  // Returns the backlog that the last listen(2) set.
  [[nodiscard]] int backlog() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    (void)getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length);
    return static_cast<int>(info.tcpi_sacked);  // Of a listening socket: its backlog.
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
  std::string path_{};  // Empty: the socket has a port.
};

}  // namespace echod::test
