// One thread that echoes: its loop, its connections, its listeners, its counters. Connections live
// and die in one worker; nothing in the data path is shared with another thread. workers.hpp has
// them all.
//
//   created --start()--> serving --drain()--> draining --last connection gone--> ended
//                                  abort_connections() closes them all, in any state
//
// Thread-safety: the public members may be called from one other thread, the service's. What they
// ask for happens in the worker's thread, soon after; asking neither blocks nor needs memory.
// counters() and the gauges are for any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "acceptor.hpp"
#include "connection_visit.hpp"
#include "echo_context.hpp"
#include "event_loop.hpp"
#include "notifier.hpp"
#include "timeout_sweep.hpp"

namespace echod {

// Called in the worker's thread; must not block.
struct WorkerEvents {
  std::function<void()> on_ended;             // The thread is about to end.
  std::function<void(int)> on_listener_lost;  // A listening socket is broken for good: its errno.
};

class Worker {
 public:
  // The one with this number. `shared` must outlive it. Throws std::system_error, std::bad_alloc.
  Worker(const EchoSettings& settings, WorkerLogs logs, Shared& shared, std::size_t number,
         WorkerEvents events);
  // No other worker that shares `shared` may run: see end().
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(). Throws std::system_error.
  void listen(std::shared_ptr<const sys::ListenSocket> socket);
  void start();

  // Takes over new settings.
  void apply(const EchoSettings& settings) noexcept;
  // Empties the accept queues, lets go of the listening sockets, drains every connection, then
  // ends.
  void drain() noexcept;
  // While draining: lets go of the listening sockets and closes all connections.
  void abort_connections(CloseReason reason) noexcept;
  // Ends the thread at once, whatever is left, and waits for it.
  void end() noexcept;

  // Has the loop make a turn: turns() grows if it is not stuck.
  void wake_up() noexcept { loop_.wake_up(); }
  [[nodiscard]] std::uint64_t turns() const noexcept { return loop_.turns(); }
  // Its thread makes no more turns, as it should.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(); }

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
  void obey() noexcept;
  void run() noexcept;
  void begin_drain() noexcept;

  WorkerEvents events_;
  EventLoop loop_;
  EchoContext context_;
  Acceptor acceptor_{context_, events_.on_listener_lost};
  TimeoutSweep sweep_{context_};
  ConnectionVisit drain_visit_{loop_, context_.table,
                               [](Connection& connection) { connection.begin_drain(); }, [] {}};
  CloseReason abort_reason_ = CloseReason::forced;
  ConnectionVisit abort_visit_{loop_, context_.table,
                               [this](Connection& connection) { connection.abort(abort_reason_); },
                               [] {}};
  bool is_ended_ = false;  // The worker's thread alone, like everything above.
  std::mutex orders_mutex_;
  Orders orders_;  // Not obeyed yet. Guarded by orders_mutex_.
  Notifier on_orders_{loop_, [this] { obey(); }};
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

}  // namespace echod
