// The TCP sockets of another process, as duplicates (pidfd_getfd(2)): for their options, and for
// what the process has open. Needs the rights of a debugger, and a container may forbid it.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace echod::test {

inline constexpr const char* kNoForeignSockets = "pidfd_getfd(2) is not permitted here";

[[nodiscard]] inline bool may_see_foreign_sockets() {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  const int own = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, pidfd, 0));
  const bool is_possible = own >= 0;
  (void)close(own);
  (void)close(pidfd);
  return is_possible;
}

class ForeignSocket {
 public:
  // Duplicates descriptor `fd` of the process that `pidfd` refers to.
  ForeignSocket(int pidfd, int fd) : fd_(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0))) {
    if (fd_ < 0) {
      throw std::system_error(errno, std::system_category(), "pidfd_getfd");
    }
  }
  ~ForeignSocket() {
    if (fd_ >= 0) {
      (void)close(fd_);
    }
  }
  ForeignSocket(ForeignSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ForeignSocket& operator=(ForeignSocket&&) = delete;

  // Returns -1 if there is no such option.
  [[nodiscard]] int option(int level, int name) const {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd_, level, name, &value, &length) == 0 ? value : -1;
  }
  [[nodiscard]] bool is_tcp() const { return option(SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP; }
  [[nodiscard]] bool is_listening() const {
    return is_tcp() && option(SOL_SOCKET, SO_ACCEPTCONN) == 1;
  }
  [[nodiscard]] std::uint16_t port() const {
    sockaddr_in6 address{};  // A sockaddr_in has the port at the same offset.
    socklen_t length = sizeof address;
    (void)getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin6_port);
  }
  // Of a listening socket.
  [[nodiscard]] unsigned backlog() const {
    tcp_info info{};
    socklen_t length = sizeof info;
    (void)getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_sacked;
  }

 private:
  int fd_;
};

// Returns the listening TCP sockets of a process on `port`. With `connected`, those of connections
// that came in on it.
[[nodiscard]] inline std::vector<ForeignSocket> sockets_of(pid_t process, std::uint16_t port,
                                                           bool connected = false) {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  std::vector<ForeignSocket> found;
  const std::filesystem::path folder = "/proc/" + std::to_string(process) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code gone;
    if (!std::filesystem::read_symlink(entry, gone).string().starts_with("socket:")) {
      continue;
    }
    ForeignSocket socket(pidfd, std::stoi(entry.path().filename()));
    if (socket.is_tcp() && socket.is_listening() != connected && socket.port() == port) {
      found.push_back(std::move(socket));
    }
  }
  (void)close(pidfd);
  return found;
}

}  // namespace echod::test
