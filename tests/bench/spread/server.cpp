#include "server.hpp"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

namespace spread {

namespace {

constexpr int kBacklog = 4096;
constexpr std::chrono::seconds kPatienceWithTheKernel{20};  // A lost SYN is sent again after 1 s.

// Returns a listening socket. If `port` is 0, the kernel chooses the port.
int listen_at(std::uint16_t port, bool is_one_of_many) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = is_one_of_many ? 1 : 0;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(fd, kBacklog) != 0) {
    fail("listen");
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    fail("getsockname");
  }
  return ntohs(address.sin_port);
}

}  // namespace

Server::Server(Mechanism mechanism, std::size_t workers, Trouble trouble)
    : crew_{.mechanism = mechanism, .workers = {}},
      host_([this, workers, trouble] { host(workers, trouble); }) {
  is_ready_.wait(false);
}

Server::~Server() {
  is_over_.store(true);
  is_over_.notify_one();
  host_.join();
}

void Server::host(std::size_t workers, Trouble trouble) {
  // The server has its own descriptor table, as if it were a process. So client and server do not
  // share a lock or a limit, and the kernel closes all descriptors when the last of these threads
  // ends. (ThreadSanitizer knows only one table, and reports races between equal numbers.)
  if (unshare(CLONE_FILES) != 0) {
    fail("unshare");
  }
  for (std::size_t i = 0; i < workers; ++i) {
    crew_.workers.push_back(std::make_unique<Worker>(crew_));
  }
  Worker acceptor(crew_);
  const bool has_acceptor = crew_.mechanism == Mechanism::acceptor;
  if (has_acceptor) {
    const int listener = listen_at(0, false);
    port_ = port_of(listener);
    acceptor.accept_from(listener, 0);
    threads_.emplace_back([&acceptor] { acceptor.run(Trouble::none); });
  } else {
    open_listeners();
  }
  for (const auto& worker : crew_.workers) {
    const Trouble its_trouble = worker == crew_.workers.front() ? trouble : Trouble::none;
    threads_.emplace_back([&worker, its_trouble] { worker->run(its_trouble); });
  }
  is_ready_.store(true);
  is_ready_.notify_one();

  is_over_.wait(false);
  acceptor.stop();
  for (const auto& worker : crew_.workers) {
    worker->stop();
  }
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void Server::open_listeners() {
  const bool has_many = crew_.mechanism == Mechanism::reuseport;
  const bool is_exclusive = !has_many && crew_.mechanism != Mechanism::shared;
  int listener = -1;
  for (const auto& worker : crew_.workers) {
    if (has_many || listener < 0) {
      listener = listen_at(port_, has_many);
      port_ = port_of(listener);
    }
    worker->accept_from(listener, is_exclusive ? std::uint32_t{EPOLLEXCLUSIVE} : 0);
  }
}

void Server::await(std::size_t connections) const {
  const Clock::time_point deadline = Clock::now() + kPatienceWithTheKernel;
  for (;;) {
    std::size_t total = 0;
    for (const auto& worker : crew_.workers) {
      total += worker->count();
    }
    if (total == connections) {
      return;
    }
    if (Clock::now() > deadline) {
      errno = ETIMEDOUT;
      fail("connections of the server");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

double Server::skew() const {
  double total = 0;
  double fullest = 0;
  for (const auto& worker : crew_.workers) {
    total += worker->count();
    fullest = std::max<double>(fullest, worker->count());
  }
  return fullest * static_cast<double>(crew_.workers.size()) / total;
}

double Server::cpu_us() const {
  double total = 0;
  for (const std::thread& thread : threads_) {
    clockid_t clock{};
    timespec time{};
    // native_handle() is not const, though it changes nothing.
    auto handle = const_cast<std::thread&>(thread).native_handle();
    if (pthread_getcpuclockid(handle, &clock) != 0 || clock_gettime(clock, &time) != 0) {
      fail("CPU clock of a thread");
    }
    total += static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  }
  return total;
}

}  // namespace spread
