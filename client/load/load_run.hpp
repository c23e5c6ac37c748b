// A whole load run: connect, warm up, measure, wait for what is outstanding.
//
//   connecting --all up or failed--> waiting --> warming up --> measuring --> finishing --> done
//   waiting is for plan.start_at, if there is one; when that is past, the run is over at once
//        SIGINT or SIGTERM: on to finishing, with the results so far; one that comes a second or
//        more after the first: done at once (stop_requests.hpp)
//
// Thread-safety: none; the workers' threads are its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "event_loop.hpp"
#include "load_plan.hpp"
#include "load_worker.hpp"
#include "moments.hpp"
#include "series.hpp"
#include "signal_fd.hpp"
#include "signal_watch.hpp"
#include "stop_requests.hpp"
#include "tally.hpp"
#include "task_queue.hpp"
#include "timer.hpp"
#include "usage.hpp"

namespace echod::client {

enum class LoadPhase : std::uint8_t { connecting, waiting, warming_up, measuring, finishing, done };

// How a run stands, a few times a second.
struct LoadProgress {
  LoadPhase phase = LoadPhase::connecting;
  std::chrono::nanoseconds measured{0};  // Of the window so far.
  Tally tally;                           // All workers' so far.
};

struct LoadResult {
  bool has_begun = false;
  std::optional<Moment> measured_from;     // When the window began; nothing: it never did.
  std::chrono::nanoseconds measured{0};    // How long the window was.
  bool is_interrupted = false;             // By a signal.
  std::uint64_t connected = 0;             // Connections that were up when the messages began.
  std::chrono::nanoseconds connecting{0};  // Until all of them were, or had failed.
  std::chrono::nanoseconds start_missed_by{
      0};  // If above 0: they were after plan.start_at by so much.
  Tally tally;
  std::vector<Interval> series;
  std::vector<StepTally> steps;  // As plan.steps.
  // Of each thread, as a share of the window: on a CPU, or ready and waiting for one.
  std::vector<double> thread_shares;
  std::chrono::nanoseconds client_cpu{0};  // Of the workers' threads, in the window.
  // What the server's process used in the window; `resident_bytes` is what it had at the end.
  std::optional<sys::ProcessUsage> server;
};

class LoadRun {
 public:
  // `on_progress` and `on_interval` may be empty. Blocks SIGINT and SIGTERM in the calling thread
  // and leaves them blocked: late_stops.hpp unblocks them. Throws std::system_error.
  LoadRun(const LoadPlan& plan, std::function<void(const LoadProgress&)> on_progress,
          std::function<void(const Interval&)> on_interval = {});

  // Returns when it is over.
  [[nodiscard]] LoadResult run();
  // The signals that it took so far.
  [[nodiscard]] const StopRequests& stops() const noexcept { return stops_; }

 private:
  void on_ready();
  void on_ended();
  void on_signal();
  void stop();
  void begin_messages();
  void begin_window();
  void end_window();
  void ask_for_progress();
  void report_progress();
  void count_connected();
  [[nodiscard]] std::chrono::nanoseconds measured() const noexcept;
  [[nodiscard]] LoadResult result() const;

  const LoadPlan& plan_;
  std::function<void(const LoadProgress&)> on_progress_;
  EventLoop loop_;
  TaskQueue tasks_{loop_};
  sys::SignalFd signals_;
  SignalWatch signal_watch_;
  Timer messages_begin_;
  Timer window_begin_;
  Timer window_end_;
  Timer progress_timer_;
  LoadPhase phase_ = LoadPhase::connecting;
  std::uint32_t ready_ = 0;  // Workers.
  std::uint32_t ended_ = 0;
  sys::TimePoint begin_{};
  std::chrono::nanoseconds connecting_{0};
  std::chrono::nanoseconds start_missed_by_{0};
  Window window_;
  Moment window_began_{};  // By the wall clock.
  StopRequests stops_;
  bool is_interrupted_ = false;  // By a signal, before it had measured and waited for everything.
  std::uint64_t connected_ = 0;
  std::optional<sys::ProcessUsage> server_at_begin_;
  std::optional<sys::ProcessUsage> server_at_end_;
  std::size_t awaited_ = 0;  // Workers that were asked for the progress and have not answered.
  Series series_;
  std::vector<Tally> reported_;  // The workers' latest copies, for the progress.
  std::vector<std::unique_ptr<LoadWorker>> workers_;  // Last: their threads use what is above.
};

}  // namespace echod::client
