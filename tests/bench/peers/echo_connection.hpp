// A non-blocking connection, as the select, poll and epoll peers serve it: one recv and one send
// each time it is reported ready. Bytes that send does not take are kept, and nothing is read until
// they are sent, so that a peer never owes more than one buffer. So these peers differ only in
// their multiplexer.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "peer_socket.hpp"

namespace peers {

enum class Next { read, write, close };  // The event to wait for, or that the connection is over.

class EchoConnection {
 public:
  Next serve(int fd) { return owed_.empty() ? echo(fd) : flush(fd); }

 private:
  static bool must_wait() {
    return errno == EAGAIN || errno == EINTR;  // Not EWOULDBLOCK, which is the same on Linux.
  }

  Next echo(int fd) {
    static std::array<char, kBufferSize> buffer;
    const ssize_t received = recv(fd, buffer.data(), buffer.size(), 0);
    if (received <= 0) {
      return received < 0 && must_wait() ? Next::read : Next::close;
    }
    const ssize_t sent = send(fd, buffer.data(), static_cast<std::size_t>(received), MSG_NOSIGNAL);
    if (sent == received) {
      return Next::read;
    }
    if (sent < 0 && !must_wait()) {
      return Next::close;
    }
    owed_.assign(buffer.begin() + (sent > 0 ? sent : 0), buffer.begin() + received);
    return Next::write;
  }

  Next flush(int fd) {
    const ssize_t sent = send(fd, owed_.data() + flushed_, owed_.size() - flushed_, MSG_NOSIGNAL);
    if (sent < 0) {
      return must_wait() ? Next::write : Next::close;
    }
    flushed_ += static_cast<std::size_t>(sent);
    if (flushed_ < owed_.size()) {
      return Next::write;
    }
    owed_.clear();
    flushed_ = 0;
    return Next::read;
  }

  std::vector<char> owed_;
  std::size_t flushed_ = 0;  // How much of owed_ was sent.
};

// Accepts connections and calls `take(fd)` for each, until the first error of any kind. After
// EMFILE the listener stays readable, so the caller tries again at once.
template <typename Take>
void accept_waiting(int listener, Take take) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    take(fd);
  }
}

}  // namespace peers
