// One-shot timers of an event loop, for a few things such as a retry of accepting or the end of a
// drain. Connections have no timers of their own (see timeout_sweep.hpp).
//
// Thread-safety: a timer belongs to its loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "sys/clock.hpp"

namespace echod {

class Timers;

class Timer {
 public:
  // `on_expiry` runs in the loop's thread, never before the deadline. The delay after the deadline
  // is at most 1 ms, the granularity of epoll_wait(2), plus the length of one iteration. Throws
  // std::bad_alloc; expire_at() does not allocate.
  Timer(Timers& timers, std::function<void()> on_expiry);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // Starts the timer, or restarts it if it is running.
  void expire_at(sys::TimePoint deadline) noexcept;
  // The same, but keeps an earlier deadline if the timer is running.
  void expire_at_latest(sys::TimePoint deadline) noexcept;
  void cancel() noexcept;
  [[nodiscard]] bool is_running() const noexcept { return is_running_; }

 private:
  friend class Timers;

  Timers& timers_;
  std::function<void()> on_expiry_;
  sys::TimePoint deadline_{};
  bool is_running_ = false;
};

// The running timers of one loop.
class Timers {
 public:
  [[nodiscard]] bool empty() const noexcept { return running_.empty(); }
  // The earliest deadline. Must not be called if empty().
  [[nodiscard]] sys::TimePoint next_deadline() const noexcept { return running_.back()->deadline_; }
  // Runs the timers that are due at `now`, each at most once: a timer that is restarted meanwhile
  // waits for the next call.
  void run_due(sys::TimePoint now);

 private:
  friend class Timer;

  // Reserves memory for one more timer.
  void reserve_one();
  void insert(Timer& timer) noexcept;
  void erase(Timer& timer) noexcept;

  std::vector<Timer*> running_;  // The latest deadline first.
  std::vector<Timer*> due_;      // Moved from running_ by run_due(), and not run yet.
  std::size_t timers_ = 0;       // Existing timers; both vectors have capacity for all of them.
};

}  // namespace echod
