#include "client.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "worker.hpp"

namespace spread {

namespace {

constexpr std::size_t kMessageSize = 64;
constexpr std::size_t kClients = 32;
constexpr std::chrono::seconds kGiveUp{10};

int connect_to(std::uint16_t port, int flags) {
  // Many source addresses, so that ports in TIME_WAIT do not use up the free ports.
  static std::uint32_t source = 0;
  source = (source + 1) % 200;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + source);
  const int on = 1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("socket of a client");
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    fail("connect");
  }
  return fd;
}

void send_message(int fd) {
  const std::array<char, kMessageSize> message{};
  if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) != kMessageSize) {
    fail("send of a client");
  }
}

void receive_message(int fd) {
  std::array<char, kMessageSize> message{};
  if (recv(fd, message.data(), message.size(), MSG_WAITALL) != kMessageSize) {
    fail("recv of a client");
  }
}

// Connects, sends a message, and registers with `epoll` for the answer. `token` is its event data.
int start_client(std::uint16_t port, int epoll, std::uint64_t token) {
  const int fd = connect_to(port, 0);
  send_message(fd);
  epoll_event event{.events = EPOLLIN, .data = {.u64 = token}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    fail("epoll_ctl of a client");
  }
  return fd;
}

// Waits for answers and calls `on_answer` with each token. Returns their number; 0 after a timeout.
template <typename OnAnswer>
int wait_for_answers(int epoll, std::chrono::milliseconds timeout, OnAnswer on_answer) {
  std::array<epoll_event, 64> events{};
  const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()),
                               static_cast<int>(timeout.count()));
  for (int i = 0; i < count; ++i) {
    on_answer(events[static_cast<std::size_t>(i)].data.u64);
  }
  return count;
}

}  // namespace

std::vector<int> connect_one_by_one(std::uint16_t port, std::size_t count) {
  std::vector<int> connections;
  for (std::size_t i = 0; i < count; ++i) {
    connections.push_back(connect_to(port, 0));
    send_message(connections.back());
    receive_message(connections.back());
  }
  return connections;
}

std::vector<int> connect_in_a_burst(std::uint16_t port, std::size_t count) {
  std::vector<int> connections;
  for (std::size_t i = 0; i < count; ++i) {
    connections.push_back(connect_to(port, SOCK_NONBLOCK));
  }
  return connections;
}

void reset_all(std::vector<int>& connections) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  for (const int fd : connections) {
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
  }
  connections.clear();
}

std::uint64_t churn(std::uint16_t port, std::chrono::milliseconds duration) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::array<int, kClients> clients{};
  for (std::size_t i = 0; i < kClients; ++i) {
    clients[i] = start_client(port, epoll, i);
  }
  std::uint64_t done = 0;
  const Clock::time_point end = Clock::now() + duration;
  while (Clock::now() < end) {
    wait_for_answers(epoll, duration, [&](std::uint64_t client) {
      receive_message(clients[client]);
      close(clients[client]);
      clients[client] = start_client(port, epoll, client);
      ++done;
    });
  }
  for (const int fd : clients) {
    close(fd);
  }
  close(epoll);
  return done;
}

std::vector<double> drip(std::uint16_t port, std::size_t count,
                         std::chrono::milliseconds interval) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> clients;
  std::vector<Clock::time_point> started;
  std::vector<double> latencies_ms;
  Clock::time_point due = Clock::now();
  while (latencies_ms.size() < count) {
    const bool has_more = clients.size() < count;
    if (has_more && Clock::now() >= due) {
      started.push_back(Clock::now());
      clients.push_back(start_client(port, epoll, clients.size()));
      due += interval;
      continue;
    }
    const std::chrono::milliseconds timeout =
        has_more ? std::chrono::ceil<std::chrono::milliseconds>(
                       std::max(due - Clock::now(), Clock::duration::zero()))
                 : kGiveUp;
    const int answers = wait_for_answers(epoll, timeout, [&](std::uint64_t client) {
      receive_message(clients[client]);
      const std::chrono::duration<double, std::milli> latency = Clock::now() - started[client];
      latencies_ms.push_back(latency.count());
    });
    if (answers == 0 && !has_more) {
      errno = ETIMEDOUT;
      fail("echo");
    }
  }
  reset_all(clients);
  close(epoll);
  return latencies_ms;
}

}  // namespace spread
