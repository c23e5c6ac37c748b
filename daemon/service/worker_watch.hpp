// Finds workers that are stuck: each is asked every other second until it ends, and is stuck when
// it has not answered for some seconds. Its connections stand still then; the others are served,
// and new ones go to other workers.
//
// Time is counted in questions, not read from a clock: when the whole process was stopped or the
// machine slept, nobody is blamed.
//
// Thread-safety: one thread, that of its loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "event_loop.hpp"
#include "timer.hpp"
#include "workers.hpp"

namespace echod {

class WorkerWatch {
 public:
  // Calls `on_looked` whenever it has looked at all of them.
  WorkerWatch(EventLoop& loop, Workers& workers, spdlog::logger& log,
              std::function<void()> on_looked);

  // How often it looks.
  static constexpr std::chrono::seconds kInterval{2};

  void start() { look(); }

  // Whether every worker had answered when it looked last, or has ended.
  [[nodiscard]] bool all_answer() const noexcept;
  // Whether there are workers that have not ended, and all of them are stuck.
  [[nodiscard]] bool are_only_stuck_left() const noexcept;

  // How often a worker was found stuck, since start.
  [[nodiscard]] std::uint64_t stalls() const noexcept { return stalls_; }

 private:
  struct Watched {
    std::uint64_t asked = 0;
    std::chrono::seconds silent{0};
  };

  void look();
  void look_at(std::size_t number);

  EventLoop& loop_;
  Workers& workers_;
  spdlog::logger& log_;
  std::function<void()> on_looked_;
  Timer timer_;
  std::vector<Watched> watched_;
  std::uint64_t stalls_ = 0;
};

}  // namespace echod
