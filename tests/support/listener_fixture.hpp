// A listener on the scripted kernel, registered and ready to accept.
#pragma once

#include <memory>
#include <utility>

#include "echo_fixture.hpp"
#include "listener.hpp"

namespace echod::test {

inline constexpr int kListener = 3;
inline constexpr int kFirst = 10;  // Accepted descriptors.
inline constexpr int kListenerBacklog = 16;

inline std::shared_ptr<const sys::ListenSocket> listening_on(int fd) {
  sys::ListenSocket socket;
  socket.fd = sys::UniqueFd::adopt(fd);
  socket.address = *sys::SocketAddress::parse("192.0.2.9", 2003);
  socket.backlog = kListenerBacklog;
  return std::make_shared<const sys::ListenSocket>(std::move(socket));
}

class ListenerTest : public EchoFixture {
 protected:
  ListenerTest() { listener_.start(); }

  void expect_edge() { kernel_.expect_epoll_wait({{kListener, EPOLLIN}}); }
  // The listener accepts descriptors `first` to `last`.
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

  int lost_ = 0;
  Listener listener_{context_, listening_on(kListener), [this](int) { ++lost_; }};
};

}  // namespace echod::test
