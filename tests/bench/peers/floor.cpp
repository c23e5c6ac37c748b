// floor PORT CONNECTIONS
// Measures the cost of the kernel's TCP alone. It is a lower bound for servers, not an echo
// service. One thread accepts CONNECTIONS, then calls recv and send on each in turn and nothing
// else. It never asks the kernel which are readable, because it knows. When all have closed, it
// prints its counts and starts again.
//
// How it knows: the client runs a closed loop over all connections, so each connection that was
// answered will have data again, in the order of the replies. A round begins with a blocking recv
// on the connection that was served last. When that has data, the others have data too, and their
// recv (MSG_DONTWAIT) succeeds. So a round of N echoes is N recv, N send and at most one sleep. Two
// groups of connections take turns, so that the client works on one while the other is served, and
// a server that is the slower side never sleeps. Calls that find nothing are counted as `empty`. If
// they are more than one percent of the echoes, the figure is not a lower bound. (Rounds in which
// the client was silent for kPatience, as before and after the measurement, do not count.)
//
// Limits: all connections must be active (no idle ones, no connect-echo-close, no ping beside
// floods), because a silent connection can delay the others for kPatience in each round. The bytes
// outstanding on a connection must fit into one recv (128 KiB), so there is no bulk. Client and
// server run in lockstep: the CPU time for an echo is meaningful, rate and latency are not. With
// one connection it is mostly the cost of the sleep. A client with several threads answers in
// another order, which shows as `empty`.
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "peer_socket.hpp"

namespace {

constexpr timeval kPatience{.tv_sec = 0, .tv_usec = 20'000};
constexpr int kClosed = -1;

struct Counts {
  std::uint64_t echoes = 0;
  std::uint64_t empty = 0;
  std::uint64_t rounds = 0;
};

class Group {
 public:
  [[nodiscard]] std::size_t size() const { return connections_.size(); }
  void add(int fd) { connections_.push_back(fd); }

  void run_round(Counts& counts) {
    const std::size_t size = connections_.size();
    const std::size_t first = last_served_ < size ? last_served_ : 0;
    const Counts before = counts;
    ++counts.rounds;
    serve(first, 0, counts);
    const bool is_silent = counts.empty > before.empty;
    for (std::size_t i = first + 1; i < size; ++i) {
      serve(i, MSG_DONTWAIT, counts);
    }
    for (std::size_t i = 0; i < first; ++i) {
      serve(i, MSG_DONTWAIT, counts);
    }
    if (is_silent) {
      counts.empty = before.empty;
    }
    if (has_closed_) {
      std::erase(connections_, kClosed);
      has_closed_ = false;
    }
  }

 private:
  void serve(std::size_t index, int flags, Counts& counts) {
    static std::array<char, peers::kBufferSize> buffer;
    const int fd = connections_[index];
    const ssize_t received = recv(fd, buffer.data(), buffer.size(), flags);
    if (received > 0) {
      ++counts.echoes;
      last_served_ = index;
      const auto size = static_cast<std::size_t>(received);
      if (send(fd, buffer.data(), size, MSG_NOSIGNAL) == received) {
        return;
      }
    } else if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
      ++counts.empty;
      return;
    }
    close(fd);
    connections_[index] = kClosed;
    has_closed_ = true;
  }

  std::vector<int> connections_;
  std::size_t last_served_ = 0;
  bool has_closed_ = false;
};

class Floor {
 public:
  Floor(int listener, std::size_t count) : listener_(listener), count_(count) {}

  // Serves `count` connections until all have closed.
  void run() {
    accept_missing(0);
    while (size() > 0) {
      const std::size_t before = size();
      for (Group& group : groups_) {
        if (group.size() > 0) {
          group.run_round(counts_);
        }
      }
      if (size() < before) {  // The client may have used an extra connection as a probe.
        accept_missing(O_NONBLOCK);
      }
    }
    (void)std::fprintf(stderr, "floor: %" PRIu64 " echoes, %" PRIu64 " empty, %" PRIu64 " rounds\n",
                       counts_.echoes, counts_.empty, counts_.rounds);
  }

 private:
  [[nodiscard]] std::size_t size() const { return groups_[0].size() + groups_[1].size(); }

  void accept_missing(int flags) {
    (void)fcntl(listener_, F_SETFL, flags);
    while (size() < count_) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) {
        return;
      }
      (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
      groups_[groups_[1].size() < groups_[0].size() ? 1 : 0].add(fd);
    }
  }

  int listener_;
  std::size_t count_;
  std::array<Group, 2> groups_;
  Counts counts_;
};

}  // namespace

int main(int argc, char** argv) {
  peers::raise_open_files();
  const sockaddr_in address = peers::address_argument(argc, argv);
  const std::uint32_t count = peers::number_argument(argc, argv, 2, 1'000'000);
  const int listener = peers::listen_on(address, 0);
  for (;;) {
    Floor(listener, count).run();
  }
}
