#include "client/sys/datagram_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "client/sys/datagram_socket.hpp"
#include "sys/stream_socket.hpp"
#include "sys/wait_ready.hpp"

namespace echod::sys {

namespace {

constexpr int kProbeBufferBytes = 65536;

class Probe {
 public:
  Probe(std::span<const Route> routes, Duration timeout) : routes_(routes), timeout_(timeout) {
    result_.errors.resize(routes.size());
  }

  RaceResult run() {
    while (!result_.winner && (next_ < routes_.size() || !attempts_.empty())) {
      const TimePoint now = MonotonicClock::now();
      if (next_ < routes_.size() && (attempts_.empty() || now >= next_begins_)) {
        begin_next(now);
      }
      repeat_datagrams(now);
      wait();
    }
    return std::move(result_);
  }

 private:
  struct Attempt {
    std::size_t route;
    ClientDatagramSocket socket;
    TimePoint deadline;
    TimePoint next_send;
  };

  void begin_next(TimePoint now) {
    const std::size_t route = next_++;
    const SocketAddress& server = routes_[route].server;
    ClientDatagramSocket socket;
    result_.errors[route] = socket.open(
        server, routes_[route].source.value_or(any_local_address(server)), kProbeBufferBytes);
    next_begins_ = socket.is_open() ? now + kAttemptDelay : now;
    if (socket.is_open()) {
      attempts_.push_back({.route = route,
                           .socket = std::move(socket),
                           .deadline = now + timeout_,
                           .next_send = now});
    }
  }

  void repeat_datagrams(TimePoint now) {
    constexpr std::array<std::byte, 16> kDatagram{};
    for (Attempt& attempt : attempts_) {
      if (now >= attempt.next_send) {
        attempt.next_send = now + kAttemptDelay;
        // An error that an ICMP message has caused is handled by the wait that follows.
        if (const IoResult sent = send(attempt.socket.fd(), kDatagram); !sent.ok()) {
          result_.errors[attempt.route] = sent.would_block() ? 0 : sent.error();
        }
      }
    }
    drop_failed(now);
  }

  // Waits until an answer has come, or until something is due.
  void wait() {
    std::vector<pollfd> polled;
    TimePoint end = next_ < routes_.size() ? next_begins_ : TimePoint::max();
    for (const Attempt& attempt : attempts_) {
      polled.push_back({.fd = attempt.socket.fd(), .events = POLLIN, .revents = 0});
      polled.push_back({.fd = attempt.socket.stray_fd(), .events = POLLIN, .revents = 0});
      end = std::min({end, attempt.deadline, attempt.next_send});
    }
    if (polled.empty()) {
      return;
    }
    (void)wait_ready(polled, end);  // On failure no answer is ready.
    for (std::size_t i = 0; i < attempts_.size() && !result_.winner; ++i) {
      read_answer(attempts_[i], polled[2 * i + 1].revents != 0);
    }
    drop_failed(MonotonicClock::now());
  }

  void read_answer(const Attempt& attempt, bool has_stray) {
    std::array<std::byte, 64> answer{};
    const IoResult received = receive(attempt.socket.fd(), answer);
    if (received.ok() || has_stray) {
      result_.winner = attempt.route;
      result_.errors[attempt.route] = 0;
    } else if (!received.would_block()) {
      result_.errors[attempt.route] = received.error();
    }
  }

  void drop_failed(TimePoint now) {
    std::erase_if(attempts_, [&](const Attempt& attempt) {
      int& error = result_.errors[attempt.route];
      error = error == 0 && now >= attempt.deadline ? ETIMEDOUT : error;
      if (error != 0) {
        next_begins_ = now;  // Do not wait after a failure.
      }
      return error != 0;
    });
  }

  std::span<const Route> routes_;
  Duration timeout_;
  std::size_t next_ = 0;
  TimePoint next_begins_{};
  std::vector<Attempt> attempts_;
  RaceResult result_;
};

}  // namespace

RaceResult probe_datagrams(std::span<const Route> routes, Duration timeout) {
  return Probe(routes, timeout).run();
}

}  // namespace echod::sys
