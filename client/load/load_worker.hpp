// One thread of a load run, with its event loop, its share of the connections and its tally.
//
//   created --start_thread()--> connecting --all open or failed--> ready --start()--> running
//   running --stop()--> catching up --due messages begun or given up--> ending
//   ending --all messages answered, all connections closed--> ended
//
// While catching up, the worker still sends the messages that were due before the end of the
// window, for at most plan.timeout. So a stall at the end of the window is measured in full. A
// closed loop has no due messages.
//
// Thread-safety: all public functions must be called from one thread, the run's. start_thread()
// starts the worker's thread. The functions after it do not block: the worker's thread does the
// work soon after. tally(), steps() and usage() may be called only after the worker has ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "client/load/load_context.hpp"
#include "client/load/load_peer.hpp"
#include "client/load/pacer.hpp"
#include "client/load/series.hpp"
#include "client/load/task_queue.hpp"
#include "client/sys/usage.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"

namespace echod::client {

// Callbacks. Called in the worker's thread; must not block.
struct LoadWorkerEvents {
  // Every connection is open or has failed once. From now on failed connections are reopened.
  // Mode connect: the thread has started.
  std::function<void()> on_ready;
  // Gets the counts of each interval, for Series::add(). May be empty.
  std::function<void(std::size_t number, IntervalTally tally, bool has_ended)> on_interval = {};
  std::function<void()> on_ended;  // The thread is about to exit.
};

class LoadWorker {
 public:
  // Worker `index` of plan.threads. `plan` must outlive it. Throws std::system_error.
  LoadWorker(const LoadPlan& plan, std::uint32_t index, LoadWorkerEvents events);
  // Ends the worker if it is still running, and joins its thread.
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  // Starts the thread, which opens the connections. In mode connect it opens none: each message
  // opens its own. Throws std::system_error.
  void start_thread();
  // Sends messages from `begin` on, which may be in the future, and measures within `window`. Stops
  // by itself at the end of `window`.
  void start(sys::TimePoint begin, const Window& window);
  // Ends the window now. Messages due later are not sent.
  void stop();
  // Stops, and fails what is outstanding.
  void abort();
  // Calls `receiver` with the tally so far, in the worker's thread. Never calls it if the worker
  // ends first.
  void copy_tally(std::function<void(const Tally&)> receiver);

  [[nodiscard]] const Tally& tally() const noexcept { return context_.tally; }
  [[nodiscard]] const std::vector<StepTally>& steps() const noexcept { return context_.steps; }
  // CPU use within the window.
  [[nodiscard]] const sys::ThreadUsage& usage() const noexcept { return usage_; }

 private:
  void run();
  // Which of `all` connections are this worker's.
  [[nodiscard]] ScheduleShare schedule_share(std::uint32_t all) const noexcept;
  [[nodiscard]] std::uint64_t message_quota() const noexcept;
  void open_connections() noexcept;
  void start_connections() noexcept;
  [[nodiscard]] Schedule schedule_from(sys::TimePoint begin) const;
  void begin_running(sys::TimePoint begin, const Window& window);
  void end_interval();
  [[nodiscard]] IntervalTally collect_interval();
  void begin_stopping();
  void end_connections() noexcept;
  void stop_all() noexcept;
  void give_up_unbegun() noexcept;
  void count_overdue_as_not_sent() noexcept;
  void abandon_all() noexcept;
  [[nodiscard]] bool on_message_due(std::uint64_t number, sys::TimePoint due) noexcept;
  [[nodiscard]] sys::Duration sweep_interval() const noexcept;
  void sweep() noexcept;
  [[nodiscard]] bool is_finished() const noexcept;

  const LoadPlan& plan_;
  std::uint32_t index_;
  LoadWorkerEvents events_;
  EventLoop loop_;
  TaskQueue tasks_{loop_};
  LoadContext context_;
  std::vector<std::unique_ptr<LoadPeer>> connections_;  // UDP: sockets.
  std::size_t opened_ = 0;    // How many connections were opened at first.
  std::size_t stopped_ = 0;   // How many connections were stopped.
  std::size_t swept_ = 0;     // How many the current sweep has checked.
  std::size_t interval_ = 0;  // The number of the current interval.
  IntervalCounts counts_at_interval_begin_;
  bool is_window_over_ = false;
  bool is_ended_ = false;
  sys::ThreadUsage usage_at_begin_;  // At the beginning of the window.
  sys::ThreadUsage usage_;           // Within the window.
  Pacer connect_pacer_;
  Pacer message_pacer_;
  Timer messages_begin_;
  Timer window_begin_;
  Timer window_end_;
  Timer interval_end_;
  Timer sweep_timer_;
  Timer give_up_timer_;
  Timer abandon_timer_;
  std::thread thread_;
};

}  // namespace echod::client
