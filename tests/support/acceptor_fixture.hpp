// An acceptor with one listening socket on the scripted kernel.
#pragma once

#include <memory>
#include <utility>

#include "echo_fixture.hpp"

namespace echod::test {

inline constexpr int kListener = 3;
inline constexpr int kFirst = 10;  // The first accepted descriptor; the others follow it.
inline constexpr int kListenerBacklog = 16;

inline std::shared_ptr<const sys::ListenSocket> listening_on(int fd) {
  sys::ListenSocket socket;
  socket.fd = sys::UniqueFd::adopt(fd);
  socket.name = "192.0.2.9:2003";
  socket.backlog = kListenerBacklog;
  return std::make_shared<const sys::ListenSocket>(std::move(socket));
}

class AcceptorTest : public EchoFixture {
 protected:
  AcceptorTest() { acceptor_.add(listening_on(kListener)); }

  void expect_edge() { kernel_.expect_epoll_wait({{kListener, EPOLLIN}}); }
  // accept4(2) returns the descriptors `first` to `last`, one after the other.
  void expect_accepts(int first, int last) {
    for (int fd = first; fd <= last; ++fd) {
      kernel_.expect_accept(kListener, fd);
      kernel_.expect_add(fd, kReading);
    }
  }
  void expect_empty_queue() { kernel_.expect_accept_error(kListener, EAGAIN); }
  void expect_end_of(int fd) {
    kernel_.expect_epoll_wait({{fd, EPOLLIN | EPOLLRDHUP}});
    kernel_.expect_recv_eof(fd);
    kernel_.expect_close(fd);
  }
  // The ready list is not empty, so epoll_wait does not block.
  void expect_no_wait() { kernel_.expect_epoll_wait({}, 0); }
  void expect_letting_go() {
    kernel_.expect_remove(kListener);
    kernel_.expect_close(kListener);
  }
};

}  // namespace echod::test
