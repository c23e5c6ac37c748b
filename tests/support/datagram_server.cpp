#include "datagram_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace echod::test {

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLongest = 65536;
constexpr int kBufferBytes = 4 << 20;
constexpr std::chrono::milliseconds kReorderTime{20};

int checked_call(int result, const char* what) {
  if (result < 0) {
    throw std::system_error(errno, std::system_category(), std::string("datagram server: ") + what);
  }
  return result;
}

int bound_to_loopback() {
  const int fd = checked_call(
      socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP), "socket");
  checked_call(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes),
               "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked_call(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  return fd;
}

std::uint16_t bound_port(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  checked_call(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin_port);
}

bool are_equal(const sockaddr_in& one, const sockaddr_in& two) {
  return one.sin_port == two.sin_port && one.sin_addr.s_addr == two.sin_addr.s_addr;
}

}  // namespace

DatagramServer::DatagramServer(const DatagramServerOptions& options)
    : options_(options),
      fd_(bound_to_loopback()),
      other_fd_(bound_to_loopback()),
      wake_up_(checked_call(eventfd(0, EFD_CLOEXEC), "eventfd")) {
  port_ = bound_port(fd_);
  thread_ = std::thread([this] { serve(); });
}

DatagramServer::~DatagramServer() {
  (void)eventfd_write(wake_up_, 1);  // Cannot fail: this is the only write.
  thread_.join();
  for (const int fd : {fd_, other_fd_, wake_up_}) {
    (void)close(fd);
  }
}

void DatagramServer::serve() {
  for (;;) {
    std::array<pollfd, 2> polled{{{.fd = wake_up_, .events = POLLIN, .revents = 0},
                                  {.fd = fd_, .events = POLLIN, .revents = 0}}};
    (void)poll(polled.data(), polled.size(), patience_ms());
    if (polled[0].revents != 0) {
      return;
    }
    send_due();
    if (polled[1].revents != 0) {
      read();
    }
  }
}

int DatagramServer::patience_ms() const {
  if (kept_.empty()) {
    return -1;
  }
  const auto wait =
      std::chrono::ceil<std::chrono::milliseconds>(kept_.front().due - SteadyClock::now());
  return static_cast<int>(std::max<std::int64_t>(0, wait.count()));
}

void DatagramServer::read() {
  std::string bytes(kLongest, '\0');
  for (;;) {
    Datagram datagram;
    socklen_t length = sizeof datagram.client;
    const ssize_t count = recvfrom(fd_, bytes.data(), bytes.size(), 0,
                                   reinterpret_cast<sockaddr*>(&datagram.client), &length);
    if (count < 0) {
      return;
    }
    datagram.bytes = bytes.substr(0, static_cast<std::size_t>(count));
    const std::uint64_t number = received_++;
    const bool is_wrong = number >= options_.after && number < options_.until &&
                          (number - options_.after) % options_.every == options_.every - 1;
    const sockaddr_in client = datagram.client;
    if (is_wrong) {
      answer_wrongly(std::move(datagram));
    } else {
      send(datagram, fd_);
      if (options_.fault == DatagramFault::reorders) {
        for (; !kept_.empty(); kept_.pop_front()) {
          send(kept_.front(), fd_);
        }
      }
    }
    previous_client_ = client;
  }
}

void DatagramServer::answer_wrongly(Datagram datagram) {
  switch (options_.fault) {
    case DatagramFault::loses:
      return;
    case DatagramFault::duplicates:
      send(datagram, fd_);
      break;
    case DatagramFault::duplicates_later:
      send(datagram, fd_);
      [[fallthrough]];
    case DatagramFault::reorders:
    case DatagramFault::answers_late:
      datagram.due = SteadyClock::now() +
                     (options_.fault == DatagramFault::reorders ? kReorderTime : options_.delay);
      kept_.push_back(std::move(datagram));
      return;
    case DatagramFault::corrupts:
      if (!datagram.bytes.empty()) {
        datagram.bytes.back() = static_cast<char>(datagram.bytes.back() ^ 1);
      }
      break;
    case DatagramFault::corrupts_header:
      if (!datagram.bytes.empty()) {
        datagram.bytes.front() = static_cast<char>(datagram.bytes.front() ^ 1);
      }
      break;
    case DatagramFault::shortens:
      datagram.bytes.resize(datagram.bytes.size() -
                            std::min<std::size_t>(1, datagram.bytes.size()));
      break;
    case DatagramFault::answers_from_another_port:
      send(datagram, other_fd_);
      return;
    case DatagramFault::swaps_two_clients:
      if (previous_client_ && !are_equal(*previous_client_, datagram.client)) {
        datagram.client = *previous_client_;
      }
      break;
    case DatagramFault::correct:
      break;
  }
  send(datagram, fd_);
}

void DatagramServer::send_due() {
  const auto now = SteadyClock::now();
  for (; !kept_.empty() && kept_.front().due <= now; kept_.pop_front()) {
    send(kept_.front(), fd_);
  }
}

// A reply that does not fit is lost, as in any UDP server.
void DatagramServer::send(const Datagram& datagram, int fd) const {
  (void)sendto(fd, datagram.bytes.data(), datagram.bytes.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&datagram.client), sizeof datagram.client);
}

}  // namespace echod::test
