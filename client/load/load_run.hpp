// A complete load run: connects, warms up, measures, and waits for outstanding messages.
//
//   connecting --all open or failed--> waiting --> warming up --> measuring --> finishing --> done
//
// `waiting` lasts until plan.start_at. If that has passed, the run ends at once. SIGINT or SIGTERM
// skips to `finishing` and keeps the results so far. A second signal at least one second later ends
// the run at once (stop_requests.hpp).
//
// Owns the workers and their threads. Thread-safety: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "client/load/load_plan.hpp"
#include "client/load/load_worker.hpp"
#include "client/load/series.hpp"
#include "client/load/stop_requests.hpp"
#include "client/load/tally.hpp"
#include "client/load/task_queue.hpp"
#include "client/sys/usage.hpp"
#include "client/text/moments.hpp"
#include "loop/event_loop.hpp"
#include "loop/signal_watch.hpp"
#include "loop/timer.hpp"
#include "sys/signal_fd.hpp"

namespace echod::client {

enum class LoadPhase : std::uint8_t { connecting, waiting, warming_up, measuring, finishing, done };

// The state of a run, reported twice a second.
struct LoadProgress {
  LoadPhase phase = LoadPhase::connecting;
  std::chrono::nanoseconds measured{0};  // How much of the window has passed.
  // The sum of all workers so far. Has only the counts `connected`, `errors`, `datagrams`, `echoes`
  // and `bytes_received`, and the latency.
  Tally tally;
};

struct LoadResult {
  bool has_begun = false;
  std::optional<Moment> measured_from;   // When the window began. Empty if it never did.
  std::chrono::nanoseconds measured{0};  // The length of the window.
  bool is_interrupted = false;           // By a signal.
  std::uint64_t connected = 0;           // Connections open when the messages began.
  // Time until all connections were open or had failed once. 0 in mode connect.
  std::chrono::nanoseconds connecting{0};
  // How long after plan.start_at the connections were ready. 0 if they were ready in time.
  std::chrono::nanoseconds start_missed_by{0};
  Tally tally;
  std::vector<Interval> series;
  std::vector<StepTally> steps;  // One for each of plan.steps.
  // The share of the window that each worker thread was running or waiting for a CPU.
  std::vector<double> thread_shares;
  std::chrono::nanoseconds client_cpu{0};  // CPU time of the workers in the window.
  // What the server process used in the window; `resident_bytes` is as of the end.
  std::optional<sys::ServerUsage> server;
};

class LoadRun {
 public:
  // `plan` must outlive it. run() calls `on_progress` twice a second and `on_interval` with each
  // interval, both in its own thread. Both may be empty. Blocks SIGINT and SIGTERM in the calling
  // thread and leaves them blocked: late_stops.hpp unblocks them. Throws std::system_error.
  LoadRun(const LoadPlan& plan, std::function<void(const LoadProgress&)> on_progress,
          std::function<void(const Interval&)> on_interval = {});

  // Blocks until the run is over. Must be called once. Throws std::system_error if it cannot start
  // a thread.
  [[nodiscard]] LoadResult run();
  // The signals received so far.
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
  std::uint32_t ready_ = 0;  // How many workers are ready.
  std::uint32_t ended_ = 0;
  sys::TimePoint begin_{};
  std::chrono::nanoseconds connecting_{0};
  std::chrono::nanoseconds start_missed_by_{0};
  Window window_;
  Moment window_began_{};  // Wall-clock time.
  StopRequests stops_;
  bool is_interrupted_ = false;  // A signal ended the run early.
  std::uint64_t connected_ = 0;
  std::optional<sys::ServerUsage> server_at_begin_;
  std::optional<sys::ServerUsage> server_at_end_;
  std::size_t awaited_ = 0;  // Workers that have not yet sent the tally asked for.
  Series series_;
  std::vector<Tally> reported_;  // The latest tally of each worker, for progress reports.
  // Last, because their threads use the members above.
  std::vector<std::unique_ptr<LoadWorker>> workers_;
};

}  // namespace echod::client
