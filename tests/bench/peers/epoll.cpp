// Echo with level-triggered epoll(7), like the example in its manual page: one thread, non-blocking
// sockets, one recv and one send for each event, EPOLL_CTL_MOD when a reply does not fit and when
// it was sent.
// Limits: when descriptors run out, the listener stays ready and the loop spins.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "echo_connection.hpp"
#include "peer_socket.hpp"

namespace {

struct Client {
  int fd = -1;
  std::uint32_t events = EPOLLIN;
  peers::EchoConnection connection{};
};

void control(int epoll, int operation, int fd, std::uint32_t events, Client* client) {
  epoll_event event{.events = events, .data = {.ptr = client}};
  if (epoll_ctl(epoll, operation, fd, &event) != 0) {
    peers::fail("epoll_ctl");
  }
}

void serve(int epoll, Client* client) {
  const peers::Next next = client->connection.serve(client->fd);
  if (next == peers::Next::close) {
    close(client->fd);
    delete client;
    return;
  }
  const std::uint32_t events = next == peers::Next::read ? EPOLLIN : EPOLLOUT;
  if (events != client->events) {
    client->events = events;
    control(epoll, EPOLL_CTL_MOD, client->fd, events, client);
  }
}

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  const int listener = peers::listen_on_argument(argc, argv, SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  control(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  std::array<epoll_event, 256> events{};
  for (;;) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) {
      peers::fail("epoll_wait");
    }
    for (int i = 0; i < count; ++i) {
      auto* client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (client != nullptr) {
        serve(epoll, client);
        continue;
      }
      peers::accept_waiting(listener, [epoll](int fd) {
        control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, new Client{.fd = fd});
      });
    }
  }
}
