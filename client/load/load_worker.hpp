// One thread of a load run: its share of the connections, its loop, its tally.
//
//   created --connect()--> connecting --all up or failed--> ready --start()--> running
//   running --stop()--> catching up --what was due is begun, or given up--> ending
//   ending --everything answered, every connection ended--> ended
//
// While catching up it still sends the messages that were due before the end of the window, for at
// most the timeout. So a stall at the end counts as long as it was. In a closed loop nothing is
// due.
//
// Thread-safety: the public members may be called from one other thread, the run's. The worker's
// thread does what they ask for, soon after. tally(), steps() and usage() may be called only after
// the worker has ended.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>

#include "event_loop.hpp"
#include "load_connection.hpp"
#include "load_context.hpp"
#include "pacer.hpp"
#include "series.hpp"
#include "task_queue.hpp"
#include "timer.hpp"
#include "usage.hpp"

namespace echod::client {

// Called in the worker's thread; must not block.
struct LoadWorkerEvents {
  std::function<void()> on_ready;  // Every connection is up, or has failed.
  // What it counted in an interval, and whether it has ended (Series::add). May be empty.
  std::function<void(std::size_t number, IntervalTally tally, bool has_ended)> on_interval = {};
  std::function<void()> on_ended;  // The thread is about to end.
};

class LoadWorker {
 public:
  // Of worker `index` out of plan.threads; `plan` outlives it. Throws std::system_error.
  LoadWorker(const LoadPlan& plan, std::uint32_t index, LoadWorkerEvents events);
  // Ends at once if it has not ended, and waits for the thread.
  ~LoadWorker();
  LoadWorker(const LoadWorker&) = delete;
  LoadWorker& operator=(const LoadWorker&) = delete;

  // Starts the thread and the connections.
  void connect();
  // Messages from `begin` on, which may be to come; what falls into `window` is measured; stops by
  // itself at its end.
  void start(sys::TimePoint begin, const Window& window);
  // Ends the window now and begins no more messages.
  void stop();
  // Waits no longer for what is outstanding.
  void abort();
  // Hands a copy of the tally so far to `take`, in this worker's thread.
  void copy_tally(std::function<void(const Tally&)> receiver);

  [[nodiscard]] const Tally& tally() const noexcept { return context_.tally; }
  [[nodiscard]] const std::vector<StepTally>& steps() const noexcept { return context_.steps; }
  // Within the window.
  [[nodiscard]] const sys::ThreadUsage& usage() const noexcept { return usage_; }

 private:
  void run();
  // Of `all` connections, those of this worker.
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
  std::deque<LoadConnection> connections_;
  std::size_t opened_ = 0;                   // How many connections have been begun.
  std::size_t stopped_ = 0;                  // How many connections have been stopped.
  std::size_t swept_ = 0;                    // How many the current sweep has looked at.
  std::size_t interval_ = 0;                 // The current one.
  IntervalCounts counts_at_interval_begin_;  // What it had counted when that began.
  bool is_ready_ = false;
  bool is_window_over_ = false;
  bool is_ended_ = false;
  sys::ThreadUsage usage_at_begin_;  // Of the window.
  sys::ThreadUsage usage_;           // Within it.
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
