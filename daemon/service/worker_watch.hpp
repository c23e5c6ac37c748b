// Detects stuck workers. Every 2 s it checks each worker and wakes it up; a worker that made no
// turn for 6 s is stuck. A busy worker is not stuck, because each turn counts. The connections of a
// stuck worker are stalled; the other workers continue to serve and to accept.
//
// Time is counted in checks and not read from a clock, so that no worker counts as stuck after the
// whole process was stopped or the machine slept.
//
// Thread-safety: members must be called from the loop's thread, unless a member says otherwise.
// Never blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"

namespace echod {

class WorkerWatch {
 public:
  // `on_checked` is called after each check of all workers. The references must outlive this.
  WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log,
              std::function<void()> on_checked);

  static constexpr std::chrono::seconds kInterval{2};  // Between two checks.

  void start() noexcept;
  // `stalls` of an earlier program count too.
  void restore(std::uint64_t stalls) noexcept { stalls_ += stalls; }

  // Returns true if, at the last check, every worker had made a turn since the check before, or had
  // ended.
  [[nodiscard]] bool have_all_answered() const noexcept;
  // Returns true if some workers have not ended and all of those are stuck.
  [[nodiscard]] bool are_only_stuck_left() const noexcept;

  // Whether the worker is stuck. Any thread.
  [[nodiscard]] bool is_stuck(std::size_t number) const noexcept {
    return watched_[number].is_stuck.load();
  }
  // How often a worker became stuck, since the start. Any thread.
  [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_.load(); }

 private:
  struct Watched {
    std::uint64_t turns = 0;             // Of the worker, when it was last woken up.
    std::chrono::seconds silent_for{0};  // Without a turn.
    std::atomic<bool> is_stuck{false};   // Silent for 6 s or more.
  };

  void check_all() noexcept;
  void check(std::size_t number) noexcept;
  void wake_up(std::size_t number) noexcept;

  EventLoop& loop_;
  Workers& workers_;
  spdlog::logger& log_;
  std::function<void()> on_checked_;
  Timer timer_;
  std::vector<Watched> watched_;
  std::atomic<std::uint64_t> stalls_{0};
};

}  // namespace echod
