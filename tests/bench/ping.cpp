// ping --blocking|--spinning PORT WARMUP_MS DURATION_MS
// Measures round trip times on one connection to 127.0.0.1, with one message of 64 bytes at a time.
// Prints them as a line of JSON. Compares every byte.
//
// echoload cannot measure this: it sleeps in epoll until the echo comes, and waking up takes longer
// than the echo. This client sleeps in recv, or does not sleep (--spinning: it calls a non-blocking
// recv in a loop), so that the rest of the time is the server's.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "peers/peer_socket.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Message = std::array<unsigned char, 64>;

constexpr auto kPatience = std::chrono::seconds(5);
constexpr std::uint32_t kLongestMs = 600'000;

[[noreturn]] void give_up(const char* why) {
  (void)std::fprintf(stderr, "ping: %s\n", why);
  std::exit(EXIT_FAILURE);
}

int connected_to(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = std::chrono::seconds(kPatience).count(), .tv_usec = 0};
  const int on = 1;
  if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    peers::fail("connect");
  }
  return fd;
}

void receive(int fd, int flags, Clock::time_point begin, Message& answer) {
  for (std::size_t size = 0; size < answer.size();) {
    const ssize_t received = recv(fd, answer.data() + size, answer.size() - size, flags);
    if (received > 0) {
      size += static_cast<std::size_t>(received);
    } else if (received == 0) {
      give_up("the server closed the connection");
    } else if (errno == EAGAIN && (flags == 0 || Clock::now() - begin > kPatience)) {
      give_up("no answer came");
    } else if (errno != EAGAIN && errno != EINTR) {
      peers::fail("recv");
    }
  }
}

double round_trip_us(int fd, int flags, std::uint64_t number) {
  Message message;
  message.fill(static_cast<unsigned char>(number * 7));
  std::memcpy(message.data(), &number, sizeof number);
  Message answer{};
  const Clock::time_point begin = Clock::now();
  if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(message.size())) {
    peers::fail("send");
  }
  receive(fd, flags, begin, answer);
  const std::chrono::duration<double, std::micro> taken = Clock::now() - begin;
  if (answer != message) {
    give_up("wrong bytes came back");
  }
  return taken.count();
}

double percentile(const std::vector<double>& sorted, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "";
  if (how != "--blocking" && how != "--spinning") {
    give_up("usage: ping --blocking|--spinning PORT WARMUP_MS DURATION_MS");
  }
  const int flags = how == "--spinning" ? MSG_DONTWAIT : 0;
  const sockaddr_in address = peers::address_argument(argc, argv, 2);
  const std::chrono::milliseconds warmup(peers::number_argument(argc, argv, 3, kLongestMs));
  const std::chrono::milliseconds duration(peers::number_argument(argc, argv, 4, kLongestMs));
  const int fd = connected_to(address);
  std::vector<double> samples;
  std::uint64_t number = 0;
  const Clock::time_point begin = Clock::now() + warmup;
  for (const Clock::time_point end = begin + duration; Clock::now() < end;) {
    const double taken_us = round_trip_us(fd, flags, ++number);
    if (Clock::now() > begin) {
      samples.push_back(taken_us);
    }
  }
  close(fd);
  if (samples.empty()) {
    give_up("nothing was measured");
  }
  const std::chrono::duration<double> window = duration;
  std::sort(samples.begin(), samples.end());
  (void)std::printf(
      R"({"pings": %zu, "rate": %.1f, "p50": %.3f, "p99": %.3f, "p999": %.3f, "max": %.3f})"
      "\n",
      samples.size(), static_cast<double>(samples.size()) / window.count(),
      percentile(samples, 0.5), percentile(samples, 0.99), percentile(samples, 0.999),
      samples.back());
}
