// One thread that echoes: its loop, its connections, its listeners, its counters. Connections live
// and die in one worker; nothing in the data path is shared with another thread. workers.hpp has
// them all.
//
//   created --start()--> serving --drain()--> draining --last connection gone--> ended
//                                  abort_connections() closes them all, in any state
//
// Thread-safety: the public members may be called from one other thread, the service's. What they
// ask for happens in the worker's thread, soon after. counters() and the gauges are for any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "echo_context.hpp"
#include "event_loop.hpp"
#include "listener.hpp"
#include "timeout_sweep.hpp"
#include "timer.hpp"

namespace echod {

// Called in the worker's thread; must not block.
struct WorkerEvents {
  std::function<void()> on_ended;             // The thread is about to end.
  std::function<void(int)> on_listener_lost;  // A listening socket is broken for good: its errno.
};

class Worker {
 public:
  // The one with this number in the roster. Throws std::system_error, std::bad_alloc.
  Worker(const EchoSettings& settings, std::shared_ptr<spdlog::logger> logger,
         std::shared_ptr<Roster> roster, std::size_t number, WorkerEvents events);
  // Closes what is left, at once, and waits for the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before start(). Throws std::system_error.
  void listen(std::shared_ptr<const sys::ListenSocket> socket);
  void start();

  // A task for post() that takes over new settings.
  [[nodiscard]] std::function<void()> task_to_apply(const EchoSettings& settings);
  // For what is told it next. Throws std::bad_alloc.
  void make_room_to_post() { loop_.make_room_to_post(); }
  void post(std::function<void()> task) { loop_.post(std::move(task)); }
  // Empties the accept queues, lets go of the listeners, drains every connection, then ends.
  void drain();
  // While draining: closes all connections, and the listeners that are not empty yet.
  void abort_connections(CloseReason reason);

  // Looks into the accept queues, and for room, as if it had been woken: another worker may have
  // been woken instead, and got stuck.
  void look_around();

  // Asks for an answer: answers() grows by one when the worker has come to it. One question at a
  // time.
  void ask();
  [[nodiscard]] std::uint64_t answers() const noexcept { return answers_.load(); }
  // Its thread answers no more, as it should.
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(); }

  [[nodiscard]] const Counters& counters() const noexcept { return context_.counters; }
  [[nodiscard]] std::size_t buffered_bytes() const noexcept {
    return context_.buffers.bytes_taken();
  }
  [[nodiscard]] std::uint64_t stale_events() const noexcept { return loop_.stale_events(); }

 private:
  void run();
  void begin_drain();
  void take_mail() noexcept;
  void take_in(Inbox::Connections& given) noexcept;
  [[nodiscard]] bool pass_on(Inbox::Connections& given) noexcept;
  [[nodiscard]] bool has_drained() noexcept;

  WorkerEvents events_;
  EventLoop loop_;
  EchoContext context_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  TimeoutSweep sweep_{context_};
  Timer retry_{loop_.timers(), [this] { take_mail(); }};  // Runs while some are left in the inbox.
  std::optional<CloseReason> aborting_;  // Set: connections that arrive yet are closed for this.
  bool is_ended_ = false;                // The worker's thread alone, like everything above.
  std::atomic<std::uint64_t> answers_{0};
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

}  // namespace echod
