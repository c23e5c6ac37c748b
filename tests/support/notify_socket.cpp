#include "notify_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>

namespace echod::test {

namespace {

int local_socket() {
  return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

// Makes `call`, which is bind(2) or connect(2), with the address of `path`.
template <typename Call>
int with_address(Call call, int fd, const std::string& path) {
  const bool is_abstract = path.front() == '@';
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (is_abstract) {
    address.sun_path[0] = '\0';
  }
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return call(fd, reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace

NotifySocket::NotifySocket(const std::string& name)
    : path_(name.empty() ? directory_.file("notify") : name), fd_(local_socket()) {
  if (with_address(bind, fd_, path_) != 0) {
    throw std::system_error(errno, std::system_category(), "bind " + path_);
  }
}

NotifySocket::~NotifySocket() {
  (void)close(fd_);
}

void NotifySocket::fill() const {
  const int sender = local_socket();
  const int connected = with_address(connect, sender, path_);
  while (connected == 0 && send(sender, "filler", 6, MSG_DONTWAIT) > 0) {
  }
  (void)close(sender);
}

std::string NotifySocket::variable() const {
  return "NOTIFY_SOCKET=" + path_;
}

std::string NotifySocket::wait_for(const std::string& text) {
  std::string message;
  std::string others;
  for (const Deadline deadline; receive(deadline, message); others += message + "\n\n") {
    if (message.find(text) != std::string::npos) {
      return message;
    }
  }
  throw std::runtime_error("the manager did not get " + text + "; it got:\n" + others);
}

std::size_t NotifySocket::count_during(std::chrono::milliseconds time, const std::string& text) {
  std::size_t count = 0;
  std::string message;
  for (const Deadline deadline(time); receive(deadline, message);) {
    count += message.find(text) != std::string::npos ? 1U : 0U;
  }
  return count;
}

bool NotifySocket::receive(const Deadline& deadline, std::string& message) const {
  pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, deadline.left_ms()) <= 0) {
    return false;
  }
  std::array<char, 4096> bytes{};
  const ssize_t count = recv(fd_, bytes.data(), bytes.size(), 0);
  message.assign(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  return count > 0;
}

}  // namespace echod::test
