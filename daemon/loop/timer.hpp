// A one-shot timer of an event loop, for the few things that happen at a time: retry accepting,
// sweep for timeouts, give up draining. Connections have none of their own (see timeout_sweep.hpp).
// Thread-safety: belongs to its loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "clock.hpp"

namespace echod {

class Timers;

class Timer {
 public:
  // Starting it later never allocates. `on_expiry` runs in the loop's thread: never early, and late
  // by at most 1 ms, the granularity of epoll_wait(2), and the length of one iteration.
  Timer(Timers& timers, std::function<void()> on_expiry);
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  // Starts it, or starts it anew.
  void expire_at(sys::TimePoint deadline) noexcept;
  void cancel() noexcept;
  [[nodiscard]] bool is_running() const noexcept { return is_running_; }

 private:
  friend class Timers;

  Timers& timers_;
  std::function<void()> on_expiry_;
  sys::TimePoint deadline_{};
  bool is_running_ = false;
};

// The running timers of one loop, the earliest last.
class Timers {
 public:
  [[nodiscard]] bool empty() const noexcept { return running_.empty(); }
  // When the next one is due. Only if not empty.
  [[nodiscard]] sys::TimePoint next_deadline() const noexcept { return running_.back()->deadline_; }
  // Runs those due at `now`, each once: one that is started again meanwhile waits for the next
  // call.
  void run_due(sys::TimePoint now);

 private:
  friend class Timer;

  void reserve_one();
  void insert(Timer& timer) noexcept;
  void erase(Timer& timer) noexcept;

  std::vector<Timer*> running_;
  std::vector<Timer*> due_;  // Taken from running_ by run_due(), and not run yet.
  std::size_t timers_ = 0;   // In existence: both vectors have a place for each.
};

}  // namespace echod
