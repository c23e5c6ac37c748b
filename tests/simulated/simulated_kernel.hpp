// A kernel with a few TCP connections, one epoll instance and one eventfd: the third implementation
// of daemon/sys/syscalls.hpp, for tests in which what the calls return follows from what clients
// did and when, not from a script.
//
// Epoll is edge-triggered as in fs/eventpoll.c: a socket that wakes with something that the mask
// has goes to the list of those that are ready, as it does at ADD and MOD if anything of the mask
// is pending; epoll_wait(2) takes as many off the list as fit, in the order in which they came, and
// reports what is pending then, if anything.
//
// Before each call of the daemon on a connection, and before each wait, the outside may act. What
// the daemon may never do is checked with each call; the first violation is kept.
//
// Thread-safety: none; one kernel at a time.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fingerprint.hpp"
#include "simulated_socket.hpp"

namespace echod::test {

enum class Call : std::uint8_t {
  add,
  modify,
  wait,
  recv,
  send,
  shutdown,
  ioctl,
  getsockopt,
  close,
  splice_in,
  splice_out
};

enum class Act : std::uint8_t { send, send_urgent, finish, reset, take };

class Outside {
 public:
  Outside() = default;
  virtual ~Outside() = default;
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  // The daemon is about to make this call.
  virtual void on_call(Call call) noexcept = 0;
  // The daemon waits, without end, for something to happen. False: nothing will.
  virtual bool on_block() noexcept = 0;
};

// What happens to a call that the state of the socket does not decide: once, to the next of its
// kind.
struct Fault {
  Call call = Call::recv;
  int error = 0;         // The call does nothing and fails; 0: see `most`.
  std::size_t most = 0;  // send, splice_out: it takes no more bytes, though there is room.
};

class SimulatedKernel {
 public:
  static constexpr int kEventFd = 4;
  static constexpr int kFirstFd = 10;  // Of connections, which count from there.

  // `most_owed`: bytes that the daemon may have read from a connection and not sent yet.
  SimulatedKernel(Outside& outside, const SocketLimits& limits, std::size_t most_owed);
  ~SimulatedKernel();
  SimulatedKernel(const SimulatedKernel&) = delete;
  SimulatedKernel& operator=(const SimulatedKernel&) = delete;

  // A connected socket; its descriptor.
  int connect();

  // What the outside does. A connection has the number of its descriptor, from 0 on.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] bool can(Act act, std::size_t connection) const noexcept;
  void act(Act act, std::size_t connection) noexcept;
  void inject(std::size_t connection, const Fault& fault) noexcept;
  // From now on every call returns at once what it always may, and nothing is checked: the run is
  // over, and what is left of it only has to end.
  void stop() noexcept { is_stopped_ = true; }
  [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_; }

  // The descriptor is closed.
  [[nodiscard]] bool is_closed(std::size_t connection) const noexcept {
    return connections_[connection].is_closed;
  }
  [[nodiscard]] const SimulatedSocket& socket(std::size_t connection) const noexcept {
    return connections_[connection].socket;
  }
  // The error that the daemon was told first, 0 if none. It is final.
  [[nodiscard]] int first_error(std::size_t connection) const noexcept {
    return connections_[connection].first_error;
  }
  // How many bytes are to come back: all that the client sent, or, since the drain began, what had
  // arrived then.
  [[nodiscard]] std::uint64_t owed_end(std::size_t connection) const noexcept {
    const Connection& asked = connections_[connection];
    return asked.drain_end.value_or(asked.socket.sent());
  }
  [[nodiscard]] bool is_draining(std::size_t connection) const noexcept {
    return connections_[connection].drain_end.has_value();
  }

  // Whether the daemon asks for the length of a receive queue because it begins to drain: what is
  // in there then is to come back.
  void set_begins_to_drain(bool begins) noexcept { begins_to_drain_ = begins; }
  void violate(const std::string& rule);
  // For tests of the kernel itself, which do what an echo would not.
  void allow_everything() noexcept { has_rules_ = false; }
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // A run that makes so many calls is taken for one without end.
  void set_most_calls(std::uint64_t calls) noexcept { most_calls_ = calls; }
  // How many turns a connection has had: calls on it, with no other call between them. One that is
  // about to begin, its first call being made, is not among them yet.
  [[nodiscard]] std::uint64_t turns(std::size_t connection) const noexcept {
    return connections_[connection].turns;
  }
  // The last call was on this connection: its turn may go on.
  [[nodiscard]] bool is_in_turn(std::size_t connection) const noexcept {
    return in_turn_ == connection;
  }

  // Everything that decides what later calls return.
  void describe(Fingerprint& into) const noexcept;
  // What the calls since the last wait began returned: with the state at that wait, what the daemon
  // knows.
  [[nodiscard]] std::uint64_t told_since_wait() const noexcept { return told_.value(); }

  // From now on keeps a line for each call and act.
  void keep_trace() noexcept { has_trace_ = true; }
  [[nodiscard]] const std::vector<std::string>& trace() const noexcept { return trace_; }
  void note(const std::string& line);

  // For simulated_syscalls.cpp. As the calls, but a negative result is an errno.
  [[nodiscard]] static SimulatedKernel& active() noexcept;
  std::int64_t on_recv(int fd, std::span<std::byte> into, bool is_peek) noexcept;
  std::int64_t on_discard(int fd, std::size_t bytes) noexcept;
  std::int64_t on_send(int fd, std::span<const std::byte> bytes) noexcept;
  std::int64_t on_shutdown(int fd) noexcept;
  std::int64_t on_queue_length(int fd, bool is_receive_queue) noexcept;
  int on_take_error(int fd) noexcept;
  std::int64_t on_register(int fd, bool is_new, const epoll_event& event) noexcept;
  int on_wait(std::span<epoll_event> events, int timeout_ms) noexcept;
  std::int64_t on_pipe(std::span<int, 2> ends) noexcept;
  std::int64_t on_splice(int from, int to, std::size_t length) noexcept;
  std::int64_t on_read(int fd, std::span<std::byte> into) noexcept;
  int on_close(int fd) noexcept;
  int on_eventfd() noexcept { return kEventFd; }
  int on_epoll_create() noexcept { return kEpollFd; }
  void on_eventfd_write() noexcept;
  bool on_eventfd_read() noexcept;  // Whether it was raised.

 private:
  static constexpr int kEpollFd = 3;
  static constexpr int kFirstPipeFd =
      1'000'000;  // Even: the end to read from; the next one is the other.
  static constexpr std::size_t kNobody = SIZE_MAX;

  struct Registration {
    bool is_registered = false;
    bool is_listed = false;  // In ready_.
    std::uint32_t mask = 0;
    std::uint64_t token = 0;
  };
  struct Connection {
    explicit Connection(const SocketLimits& limits) noexcept : socket(limits) {}

    SimulatedSocket socket;
    Registration registration{};
    std::optional<Fault> fault{};
    std::optional<std::uint64_t> drain_end{};
    std::uint64_t turns = 0;
    int first_error = 0;
    bool is_closed = false;
  };

  struct Pipe {
    bool is_open = true;
    std::size_t owner = kNobody;  // The connection whose bytes are in it,
    std::uint64_t begin = 0;      // from this position
    std::uint64_t end = 0;        // to this one.
  };

  void count_call() noexcept;
  [[nodiscard]] Pipe* pipe_of(int fd) noexcept;
  std::int64_t splice_in(int fd, Pipe& pipe, std::size_t most) noexcept;
  std::int64_t splice_out(Pipe& pipe, int fd, std::size_t bytes) noexcept;
  // `bytes` from `position` on are about to be sent on `fd`.
  void check_sent(int fd, std::uint64_t position, std::size_t bytes) noexcept;
  // The connection that a call is made on, after the outside acted. Null: the call is wrong.
  Connection* enter(Call call, int fd) noexcept;
  // Keeps what the call gave; returns it.
  std::int64_t leave(Call call, int fd, std::int64_t result) noexcept;
  std::int64_t fail(Connection& connection, Call call, int fd, std::int64_t error) noexcept;
  // The errno of an injected failure, 0 if there is none.
  int take_fault(Connection& connection, Call call) noexcept;
  void wake(int fd, std::uint32_t with) noexcept;
  void list(int fd) noexcept;
  [[nodiscard]] Registration& registration(int fd) noexcept;
  [[nodiscard]] std::uint32_t pending(int fd) noexcept;
  int collect(std::span<epoll_event> events) noexcept;
  void check_read(const Connection& connection) noexcept;
  void check_close(int fd, const Connection& connection) noexcept;

  static SimulatedKernel* current;

  Outside& outside_;
  SocketLimits limits_;
  std::size_t most_owed_;
  std::vector<Connection> connections_;
  std::vector<Pipe> pipes_;
  Registration wake_up_;
  bool is_raised_ = false;  // The eventfd.
  std::vector<int> ready_;  // Epoll's list.
  Fingerprint told_;
  std::uint64_t calls_ = 0;
  std::uint64_t most_calls_ = 20'000;  // Whatever a few clients do, the daemon needs far fewer.
  std::size_t in_turn_ = kNobody;      // The connection that the last call was on.
  bool begins_to_drain_ = false;
  bool is_stopped_ = false;
  bool has_rules_ = true;
  std::string violation_;
  bool has_trace_ = false;
  std::vector<std::string> trace_;
};

[[nodiscard]] std::string name_of(Act act);
[[nodiscard]] std::string name_of(Call call);

}  // namespace echod::test
