#include "admin_client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <string_view>

#include "deadline.hpp"

namespace echod::test {

namespace {

std::string receive_to_end(int fd) {
  const Deadline deadline;
  std::string text;
  std::array<char, 65536> chunk{};
  for (;;) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    const ssize_t received =
        poll(&ready, 1, deadline.left_ms()) == 1 ? recv(fd, chunk.data(), chunk.size(), 0) : -1;
    if (received < 0 && errno == ECONNRESET && !text.empty()) {
      return text;  // echod closed with unread bytes of ours (unix(7)); what it sent is complete.
    }
    if (received < 0) {
      throw std::runtime_error("no answer from the admin socket, only: " + text);
    }
    if (received == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(received));
  }
}

}  // namespace

AdminAnswer read_answer(int fd) {
  const std::string text = receive_to_end(fd);
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  constexpr std::string_view kEmptyLine = "\r\n\r\n";
  const std::size_t end_of_head = text.find(kEmptyLine);
  if (!text.starts_with(kVersion) || end_of_head == std::string::npos) {
    throw std::runtime_error("not an answer: " + text);
  }
  return {.status = std::stoi(text.substr(kVersion.size())),
          .head = text.substr(0, end_of_head),
          .body = text.substr(end_of_head + kEmptyLine.size())};
}

AdminConnection::AdminConnection(const std::string& path)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    (void)close(fd_);
    throw std::runtime_error("cannot connect to " + path);
  }
}

AdminConnection::~AdminConnection() {
  if (fd_ >= 0) {
    (void)close(fd_);
  }
}

bool AdminConnection::sends(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

AdminConnection AdminClient::begin(std::string_view text) const {
  AdminConnection connection(path_);
  if (!connection.sends(text)) {
    throw std::runtime_error("the admin socket takes no request");
  }
  return connection;
}

AdminAnswer AdminClient::request(const std::string& method, const std::string& target) const {
  return begin(request_text(method, target)).answer();
}

std::string request_text(const std::string& method, const std::string& target,
                         const std::string& host) {
  return method + ' ' + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

}  // namespace echod::test
