// A simulated kernel with a few TCP connections, one epoll instance and one eventfd. It implements
// daemon/sys/syscalls.hpp for tests in which the results of calls follow from the acts of the
// clients and their order, not from a script.
//
// Epoll is edge-triggered, as in fs/eventpoll.c. A socket goes to the ready list when it wakes with
// an event of its mask, and at ADD and MOD if an event of the mask is pending. epoll_wait(2) takes
// as many sockets from the list as fit, in their order, and reports the events that are pending at
// that moment, if any.
//
// The outside may act before each call of the daemon on a connection, and before each wait. Each
// call is checked against the rules that the daemon must never break; the first violation is kept.
//
// Thread-safety: none; there is one kernel at a time.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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
  setsockopt,
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

  // Called before the daemon makes this call.
  virtual void on_call(Call call) noexcept = 0;
  // Called when the daemon would wait without a timeout. Returns false if nothing will happen.
  virtual bool on_block() noexcept = 0;
};

// A fault that does not follow from the state of the socket. It hits the next call of its kind,
// once.
struct Fault {
  Call call = Call::recv;
  int error = 0;         // The call does nothing and fails with this errno. If 0, see `most`.
  std::size_t most = 0;  // send, splice_out: the call takes at most so many bytes.
};

class SimulatedKernel {
 public:
  static constexpr int kEventFd = 4;
  static constexpr int kFirstFd = 10;  // The descriptor of the first connection; others follow it.

  // Is called when the daemon closes a connection, which is still open then. Returns the rule that
  // the close violates; "" if there is none.
  using CloseRule = std::function<std::string(std::size_t connection)>;

  // `most_owed`: how many bytes of a connection the daemon may have read and not sent yet.
  SimulatedKernel(Outside& outside, const SocketLimits& limits, std::size_t most_owed,
                  CloseRule close_rule = {});
  ~SimulatedKernel();
  SimulatedKernel(const SimulatedKernel&) = delete;
  SimulatedKernel& operator=(const SimulatedKernel&) = delete;

  // Makes a connected socket; returns its descriptor.
  int connect();

  // Acts of the outside. Connections are numbered from 0, in the order of their descriptors.
  [[nodiscard]] std::size_t connections() const noexcept { return connections_.size(); }
  [[nodiscard]] bool can(Act act, std::size_t connection) const noexcept;
  void act(Act act, std::size_t connection) noexcept;
  void inject(std::size_t connection, const Fault& fault) noexcept;
  // The clock stands still otherwise.
  void advance(std::chrono::milliseconds time) noexcept { now_ += time; }
  [[nodiscard]] std::chrono::milliseconds now() const noexcept { return now_; }
  void set_most_owed(std::size_t bytes) noexcept { most_owed_ = bytes; }
  // Ends the run: from now on calls return at once with results that are always allowed, and
  // nothing is checked.
  void stop() noexcept { is_stopped_ = true; }
  [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_; }

  // Whether the daemon has closed the descriptor.
  [[nodiscard]] bool is_closed(std::size_t connection) const noexcept {
    return connections_[connection].is_closed;
  }
  [[nodiscard]] const SimulatedSocket& socket(std::size_t connection) const noexcept {
    return connections_[connection].socket;
  }
  // The first error that a call returned to the daemon; 0 if none. It is final.
  [[nodiscard]] int first_error(std::size_t connection) const noexcept {
    return connections_[connection].first_error;
  }
  // How many bytes must come back: all that the client sent, or, if the connection drains, what had
  // arrived when the drain began.
  [[nodiscard]] std::uint64_t owed_end(std::size_t connection) const noexcept {
    const Connection& asked = connections_[connection];
    return asked.drain_end.value_or(asked.socket.sent());
  }
  [[nodiscard]] bool is_draining(std::size_t connection) const noexcept {
    return connections_[connection].drain_end.has_value();
  }
  // Whether nothing was unread, or unacknowledged, when the daemon asked last.
  [[nodiscard]] bool was_all_read(std::size_t connection) const noexcept {
    return connections_[connection].was_all_read;
  }
  [[nodiscard]] bool was_all_acknowledged(std::size_t connection) const noexcept {
    return connections_[connection].was_all_acknowledged;
  }
  // Whether a close resets the connection.
  [[nodiscard]] bool resets_on_close(std::size_t connection) const noexcept {
    return connections_[connection].resets_on_close;
  }

  // While set, the daemon asks for the length of a receive queue because it begins to drain. What
  // is in the queue at that time must come back.
  void set_begins_to_drain(bool begins) noexcept { begins_to_drain_ = begins; }
  // Records that a rule was violated, and stops the run.
  void violate(const std::string& rule);
  // Turns the rules off. For tests of the kernel itself, which do not echo.
  void allow_everything() noexcept { has_rules_ = false; }
  // recvmsg(2) accepts descriptors that come over a UNIX socket.
  void check_control_data() noexcept {
    if (limits_.is_local) {
      violate("it accepts descriptors of the client");
    }
  }
  [[nodiscard]] const std::string& violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // A run that makes so many calls violates a rule: it is taken for an endless one.
  void set_most_calls(std::uint64_t calls) noexcept { most_calls_ = calls; }
  // The number of turns of a connection. A turn is a series of calls on the connection without a
  // call on another one. In on_call() of the first call of a turn, the turn is not counted yet.
  [[nodiscard]] std::uint64_t turns(std::size_t connection) const noexcept {
    return connections_[connection].turns;
  }
  // Whether the last call was on this connection, so that its turn may go on.
  [[nodiscard]] bool is_in_turn(std::size_t connection) const noexcept {
    return in_turn_ == connection;
  }

  // Adds all state that decides the results of later calls.
  void describe(Fingerprint& into) const noexcept;
  // A hash of the results of all calls since the last wait began. Together with the state at that
  // wait, this is what the daemon knows.
  [[nodiscard]] std::uint64_t told_since_wait() const noexcept { return told_.value(); }

  // From now on records a line for each call and act; see trace().
  void keep_trace() noexcept { has_trace_ = true; }
  [[nodiscard]] const std::vector<std::string>& trace() const noexcept { return trace_; }
  void note(const std::string& line);

  // For simulated_syscalls.cpp. As the system calls, but a negative result is a negative errno.
  [[nodiscard]] static SimulatedKernel& active() noexcept;
  std::int64_t on_recv(int fd, std::span<std::byte> into, bool is_peek) noexcept;
  // Whether the last read of the UNIX socket stopped at a descriptor.
  [[nodiscard]] bool stopped_at_descriptor(int fd) const noexcept;
  std::int64_t on_discard(int fd, std::span<std::byte> scratch) noexcept;
  std::int64_t on_send(int fd, std::span<const std::byte> bytes) noexcept;
  std::int64_t on_shutdown(int fd) noexcept;
  std::int64_t on_queue_length(int fd, bool is_receive_queue) noexcept;
  int on_take_error(int fd) noexcept;
  std::int64_t on_reset_on_close(int fd) noexcept;
  std::int64_t on_register(int fd, bool is_new, const epoll_event& event) noexcept;
  int on_wait(std::span<epoll_event> events, int timeout_ms) noexcept;
  std::int64_t on_pipe(std::span<int, 2> ends) noexcept;
  // F_SETPIPE_SZ with `asked` > 0, F_GETPIPE_SZ with 0.
  int on_pipe_size(int fd, int asked) noexcept;
  std::int64_t on_splice(int from, int to, std::size_t length) noexcept;
  std::int64_t on_read(int fd, std::span<std::byte> into) noexcept;
  int on_close(int fd) noexcept;
  int on_eventfd() noexcept { return kEventFd; }
  int on_epoll_create() noexcept { return kEpollFd; }
  void on_eventfd_write() noexcept;
  bool on_eventfd_read() noexcept;  // Returns whether it was raised.

 private:
  static constexpr int kEpollFd = 3;
  // Even descriptors are the reading ends of pipes; the next descriptor is the writing end.
  static constexpr int kFirstPipeFd = 1'000'000;
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
    bool was_all_read = false;
    bool was_all_acknowledged = false;
    bool resets_on_close = false;
    bool is_closed = false;
  };

  struct Pipe {
    bool is_open = true;
    bool is_small = false;  // Smaller than the daemon asked for.
    int size = 1;
    std::size_t owner = kNobody;  // The connection whose bytes are in the pipe.
    std::uint64_t begin = 0;      // The position of the first byte in the pipe.
    std::uint64_t end = 0;        // The position after the last byte.
  };

  void count_call() noexcept;
  [[nodiscard]] Pipe* pipe_of(int fd) noexcept;
  std::int64_t splice_in(int fd, Pipe& pipe, std::size_t most) noexcept;
  std::int64_t splice_out(Pipe& pipe, int fd, std::size_t bytes) noexcept;
  // Checks that `bytes` bytes from `position` on may be sent on `fd`.
  void check_sent(int fd, std::uint64_t position, std::size_t bytes) noexcept;
  // Begins a call: lets the outside act, and returns the connection. Null if `fd` is not open.
  Connection* enter(Call call, int fd) noexcept;
  // Ends a call: records and returns its result.
  std::int64_t leave(Call call, int fd, std::int64_t result) noexcept;
  // As leave(), and stores a final error.
  std::int64_t fail(Connection& connection, Call call, int fd, std::int64_t error) noexcept;
  // Removes and returns the errno of an injected fault; 0 if there is none.
  int take_fault(Connection& connection, Call call) noexcept;
  void wake(int fd, std::uint32_t with) noexcept;
  void list(int fd) noexcept;
  [[nodiscard]] Registration& registration(int fd) noexcept;
  [[nodiscard]] std::uint32_t pending(int fd) noexcept;
  int collect(std::span<epoll_event> events) noexcept;
  void check_read(const Connection& connection) noexcept;

  static SimulatedKernel* current;

  Outside& outside_;
  SocketLimits limits_;
  std::size_t most_owed_;
  CloseRule close_rule_;
  std::chrono::milliseconds now_ = std::chrono::seconds(1000);
  std::vector<Connection> connections_;
  std::vector<Pipe> pipes_;
  Registration wake_up_;
  bool is_raised_ = false;  // The eventfd.
  std::vector<int> ready_;  // Epoll's list.
  Fingerprint told_;
  std::uint64_t calls_ = 0;
  std::uint64_t most_calls_ = 20'000;  // With a few clients the daemon needs far fewer.
  std::size_t in_turn_ = kNobody;      // The connection of the last call.
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
