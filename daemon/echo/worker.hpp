// One thread that echoes, with its own event loop, connections, acceptor and counters. A connection
// stays in the worker that accepted it, and the data path shares nothing with other threads.
//
//   created --start()--> serving --drain()--> draining --all is closed--> ended
//
// All is closed when the listening sockets are released and no connection is left.
// abort_connections() closes all in any state.
//
// Thread-safety: one other thread, the service's, may call the members. apply(), drain() and
// abort_connections() only post a request, which the worker's thread carries out soon after; they
// neither block nor allocate. Members marked "Any thread" may be called by every thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "admission/acceptor.hpp"
#include "echo/connection_visit.hpp"
#include "echo/echo_context.hpp"
#include "echo/timeout_sweep.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"

namespace echod {

// What the workers of one daemon share. It must outlive them. Thread-safety: any thread.
struct SharedState {
  SharedState(const EchoSettings& settings, std::size_t workers)
      : admission(settings.max_connections, workers) {
    apply(settings);
  }
  void apply(const EchoSettings& settings) noexcept {
    admission.set_max_connections(settings.max_connections);
    line_limits.set_per_second(settings.log_lines_per_second);
  }

  Admission admission;
  LineLimits line_limits;
};

// Called in the worker's thread; must not block.
struct WorkerEvents {
  std::function<void()> on_ended;             // The thread is about to end.
  std::function<void(int)> on_listener_lost;  // A listening socket failed for good, with an errno.
};

class Worker {
 public:
  // Workers are numbered from 0. `shared` must outlive it. Throws std::system_error,
  // std::bad_alloc.
  Worker(const EchoSettings& settings, WorkerLogs logs, SharedState& shared, std::size_t number,
         WorkerEvents events);
  // First end() all workers that share `shared`.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Call it before start(). Throws std::system_error.
  void listen(std::shared_ptr<const sys::ListenSocket> socket);
  void start();

  // Takes over new settings.
  void apply(const EchoSettings& settings) noexcept;
  // Serves the clients that wait in the accept queues, releases the listening sockets, drains every
  // connection, then ends.
  void drain() noexcept;
  // Releases the listening sockets and closes all connections.
  void abort_connections(CloseReason reason) noexcept;
  // Ends the thread at once, even if connections are left, and waits for it.
  void end() noexcept;

  // Makes the loop run once: turns() grows unless the thread is stuck. Any thread.
  void wake_up() noexcept { loop_.wake_up(); }
  [[nodiscard]] std::uint64_t turns() const noexcept { return loop_.turns(); }
  // Whether its thread has ended as it was told to. Any thread.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(); }

  // Any thread may call these three.
  [[nodiscard]] const Counters& counters() const noexcept { return context_.counters; }
  [[nodiscard]] std::size_t buffered_bytes() const noexcept {
    return context_.relay.buffered_bytes();
  }
  [[nodiscard]] std::uint64_t stale_events() const noexcept { return loop_.stale_events(); }

 private:
  struct Orders {
    std::optional<EchoSettings> settings;
    std::optional<CloseReason> abort;
    bool drain = false;
    bool end = false;
  };

  template <typename Change>
  void order(Change change) noexcept;
  void carry_out_orders() noexcept;
  void run() noexcept;
  void begin_drain() noexcept;

  WorkerEvents events_;
  EventLoop loop_;
  EchoContext context_;
  Acceptor acceptor_{context_.acceptor_parts(), context_.settings.turn_accepts,
                     events_.on_listener_lost};
  TimeoutSweep sweep_{context_};
  ConnectionVisit drain_visit_{loop_, context_.table,
                               [](Connection& connection) { connection.begin_drain(); }, [] {}};
  CloseReason abort_reason_ = CloseReason::forced;
  ConnectionVisit abort_visit_{loop_, context_.table,
                               [this](Connection& connection) { connection.abort(abort_reason_); },
                               [] {}};
  bool must_end_ = false;
  std::mutex orders_mutex_;
  Orders orders_;  // Not carried out yet. Guarded by orders_mutex_.
  Notifier on_orders_{loop_, [this] { carry_out_orders(); }};
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

}  // namespace echod
