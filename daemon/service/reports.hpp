// Builds the summary lines of echod: counters, status, totals.
//
// Thread-safety: belongs to the main thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "admin/snapshot.hpp"
#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/timer.hpp"
#include "service/listeners.hpp"
#include "service/logs.hpp"
#include "service/worker_watch.hpp"

namespace echod {

// How reloads ended, since the start of the process.
struct ReloadFigures {
  std::uint64_t applied = 0;
  std::uint64_t refused = 0;
  std::string last_error;  // Why the last one was refused; empty if it was applied.
  UnixSeconds loaded_at = 0;
  UpgradeFigures upgrades;
};

class Reports {
 public:
  // The references must outlive it. Throws std::bad_alloc.
  Reports(EventLoop& loop, const Workers& workers, const Listeners& listeners,
          const WorkerWatch& watch, Logs& logs, const ReloadFigures& reloads);

  // Continues with the reported_dropped_lines() of an earlier program.
  void restore(std::uint64_t reported_dropped_lines) noexcept {
    reported_dropped_lines_ = reported_dropped_lines;
  }
  [[nodiscard]] std::uint64_t reported_dropped_lines() const noexcept {
    return reported_dropped_lines_;
  }
  // From now on lines that the log had to drop are reported, at most every 10 s.
  void start() noexcept;

  // All counters, in one line. Allocates nothing, so that they can be logged when memory runs out.
  // Valid until the next call.
  [[nodiscard]] std::string_view counters_line() noexcept;
  // The text of STATUS=, which `systemctl status` shows. Throws std::bad_alloc.
  [[nodiscard]] std::string status_line(bool is_stopping) const;
  // Logs what was served in all.
  void log_totals() noexcept;

 private:
  void log_dropped_lines() noexcept;

  EventLoop& loop_;
  const Workers& workers_;
  const Listeners& listeners_;
  const WorkerWatch& watch_;
  Logs& logs_;
  const ReloadFigures& reloads_;
  Timer dropped_lines_timer_;
  std::uint64_t reported_dropped_lines_ = 0;
  std::string counters_line_;
};

}  // namespace echod
