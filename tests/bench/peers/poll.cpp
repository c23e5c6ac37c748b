// Echo with poll(2): one thread, non-blocking sockets, one dense array of pollfd.
// Limits: at each call the kernel and then this program scan all connections, idle ones too.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include "echo_connection.hpp"
#include "peer_socket.hpp"

namespace {

class PollServer {
 public:
  explicit PollServer(int listener) { add(listener); }

  void run_once() {
    int ready = poll(fds_.data(), fds_.size(), -1);
    if (ready < 0) {
      if (errno != EINTR) {
        peers::fail("poll");
      }
      return;
    }
    // Backwards: a removed connection is replaced by the last one, which was served already.
    for (std::size_t i = fds_.size(); ready > 0 && i-- > 1;) {
      if (fds_[i].revents != 0) {
        --ready;
        serve(i);
      }
    }
    if (fds_[0].revents != 0) {
      peers::accept_waiting(fds_[0].fd, [this](int fd) { add(fd); });
    }
  }

 private:
  void add(int fd) {
    fds_.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    connections_.emplace_back();
  }

  void serve(std::size_t i) {
    const peers::Next next = connections_[i].serve(fds_[i].fd);
    if (next == peers::Next::close) {
      close(fds_[i].fd);
      fds_[i] = fds_.back();
      fds_.pop_back();
      std::swap(connections_[i], connections_.back());
      connections_.pop_back();
    } else {
      fds_[i].events = next == peers::Next::read ? POLLIN : POLLOUT;
    }
  }

  std::vector<pollfd> fds_;  // The first entry is the listener.
  std::vector<peers::EchoConnection> connections_;
};

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  PollServer server(peers::listen_on(peers::address_argument(argc, argv), SOCK_NONBLOCK));
  for (;;) {
    server.run_once();
  }
}
