// Finds workers that are stuck: each is woken up every other second until it ends, and is stuck
// when it has made no turn for some seconds. A worker with much to do is not stuck: every turn
// counts. The connections of a stuck worker stand still; the other workers serve theirs, and
// accept.
//
// Time is counted in checks, not read from a clock: when the whole process was stopped or the
// machine slept, no worker is blamed.
//
// Thread-safety: one thread, that of its loop.
#pragma once

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
  // Calls `on_checked` after each check of all workers.
  WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log,
              std::function<void()> on_checked);

  // Time between two checks.
  static constexpr std::chrono::seconds kInterval{2};

  void start() noexcept;

  // Whether every worker had made a turn at the last check, or has ended.
  [[nodiscard]] bool all_answer() const noexcept;
  // Whether there are workers that have not ended, and all of them are stuck.
  [[nodiscard]] bool are_only_stuck_left() const noexcept;

  // How often a worker was found stuck, since start.
  [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_; }

 private:
  struct Watched {
    std::uint64_t turns = 0;  // When it was woken up.
    std::chrono::seconds silent{0};
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
  std::uint64_t stalls_ = 0;
};

}  // namespace echod
