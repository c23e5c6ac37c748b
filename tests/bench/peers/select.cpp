// Echo with select(2): one thread, non-blocking sockets; the sets are copied and scanned at each
// call.
// Limits: descriptors must be below FD_SETSIZE (1024), which allows 1020 connections. Further ones
// are accepted and closed at once, with a message for the first. The cost of a call grows with the
// highest descriptor.
#include <sys/select.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "echo_connection.hpp"
#include "peer_socket.hpp"

namespace {

class SelectServer {
 public:
  explicit SelectServer(int listener) : listener_(listener), last_(listener) {
    FD_ZERO(&wants_read_);
    FD_ZERO(&wants_write_);
    FD_SET(listener, &wants_read_);
  }

  void run_once() {
    fd_set readable = wants_read_;
    fd_set writable = wants_write_;
    if (select(last_ + 1, &readable, &writable, nullptr, nullptr) < 0) {
      if (errno != EINTR) {
        peers::fail("select");
      }
      return;
    }
    const int last = last_;  // Connections that are accepted later are not in the sets.
    for (int fd = 0; fd <= last; ++fd) {
      if (fd != listener_ && (FD_ISSET(fd, &readable) || FD_ISSET(fd, &writable))) {
        serve(fd);
      }
    }
    if (FD_ISSET(listener_, &readable)) {
      peers::accept_waiting(listener_, [this](int fd) { add(fd); });
    }
  }

 private:
  void add(int fd) {
    if (fd >= FD_SETSIZE) {
      if (!has_refused_) {
        (void)std::fprintf(stderr, "select: no more than %d descriptors: refusing\n", FD_SETSIZE);
        has_refused_ = true;
      }
      close(fd);
      return;
    }
    connections_[static_cast<std::size_t>(fd)] = {};
    FD_SET(fd, &wants_read_);
    last_ = fd > last_ ? fd : last_;
  }

  void serve(int fd) {
    const peers::Next next = connections_[static_cast<std::size_t>(fd)].serve(fd);
    FD_CLR(fd, &wants_read_);
    FD_CLR(fd, &wants_write_);
    if (next == peers::Next::close) {
      close(fd);
      while (last_ > listener_ && !FD_ISSET(last_, &wants_read_) &&
             !FD_ISSET(last_, &wants_write_)) {
        --last_;
      }
    } else {
      FD_SET(fd, next == peers::Next::read ? &wants_read_ : &wants_write_);
    }
  }

  int listener_;
  int last_;  // The highest descriptor in the sets.
  bool has_refused_ = false;
  fd_set wants_read_{};
  fd_set wants_write_{};
  std::vector<peers::EchoConnection> connections_{FD_SETSIZE};  // By descriptor.
};

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  SelectServer server(peers::listen_on(peers::address_argument(argc, argv), SOCK_NONBLOCK));
  for (;;) {
    server.run_once();
  }
}
