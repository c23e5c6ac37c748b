// The composition root: owns all parts of echod and connects them.
//
// The main thread runs the Service: it handles signals, reloads, the log file and the drain
// deadline, and never touches a connection. The workers serve the connections. While serving, the
// main thread blocks only in its event loop: never on the service manager, a terminal, a disk or a
// lock that is held during such a call. Only the last step of an upgrade may block (upgrade.hpp).
// Members are destroyed in reverse order, so each member may use those declared above it.
//
//   serving --SIGTERM, SIGINT, standard input--> stopping --workers ended--> stopped
//   serving --upgrade (upgrade.hpp)--> the new program, in the same process
//
// Thread-safety: one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin.hpp"
#include "config/command_line.hpp"
#include "config/config.hpp"
#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "loop/signal_watch.hpp"
#include "loop/timer.hpp"
#include "service/admin_access.hpp"
#include "service/admin_sockets.hpp"
#include "service/capacity.hpp"
#include "service/exit_codes.hpp"
#include "service/listeners.hpp"
#include "service/logs.hpp"
#include "service/passed_sockets.hpp"
#include "service/reloads.hpp"
#include "service/reports.hpp"
#include "service/running_config.hpp"
#include "service/service_manager.hpp"
#include "service/stdin_watch.hpp"
#include "service/worker_watch.hpp"
#include "sys/process_usage.hpp"
#include "sys/signal_fd.hpp"
#include "sys/terminal.hpp"
#include "upgrade/inherited_state.hpp"
#include "upgrade/program_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

// What this program took over from an earlier one.
struct Takeover {
  std::string version;
  std::vector<int> descriptors;  // Descriptors without CLOEXEC.
  std::uint64_t connections = 0;
  std::uint64_t owed_bytes = 0;
  sys::TimePoint pause_began;
};

class Service {
 public:
  // Sets the limit on open files, opens the logs and the listeners. Continues with the listeners,
  // connections and counts of the `earlier` program, if there is one. Must be called before any
  // other thread starts. Throws StartupError, std::system_error or std::bad_alloc.
  Service(CommandLine options, Config config, ProgramFile program, std::vector<PassedSocket> passed,
          std::optional<InheritedState> earlier = std::nullopt);

  // Serves until it is stopped and drained. Exits the process itself if a thread is stuck.
  [[nodiscard]] ExitCode run();

 private:
  void restore(const InheritedState& earlier);
  void open_admin(OpenAdminSockets earlier);
  bool try_step(const std::function<void()>& step, std::string_view consequence);
  void on_workers_serving() noexcept;
  void announce_start();
  [[nodiscard]] ServiceFacts facts() const;
  void publish_facts() noexcept;
  void set_log_levels(const LogLevels& levels) noexcept;
  void on_signal(int signal) noexcept;
  void handle_signal(int signal);
  void stop(std::string_view cause) noexcept;
  void on_workers_checked() noexcept;
  void notify_ready() noexcept;
  void check_service_manager() noexcept;
  void exit_if_only_stuck_left() noexcept;
  void on_listener_lost();
  void on_reload_ended() noexcept;
  [[nodiscard]] ServiceState describe();
  [[nodiscard]] bool finish() noexcept;

  const ProgramFile program_;
  const Capacity capacity_;
  RunningConfig running_;
  const sys::Terminal terminal_;
  ServiceManager manager_;
  sys::SignalFd signals_;  // Blocks signals, so it must precede logs_, which starts threads.
  std::atomic<int> listener_error_{0};  // errno of a listening socket that failed.
  Logs logs_;
  EventLoop loop_;
  Notifier on_workers_ended_{loop_, [this] { are_workers_ended_ = true; }};
  Notifier on_listener_lost_{loop_, [this] { on_listener_lost(); }};
  Notifier on_workers_serving_{loop_, [this] { on_workers_serving(); }};
  Workers workers_;
  Listeners listeners_{workers_};
  SignalWatch signal_watch_;
  std::optional<StdinWatch> stdin_watch_;
  Timer manager_retry_;
  Timer drain_deadline_;
  WorkerWatch worker_watch_;
  ReloadFigures reload_figures_;
  Reports reports_{loop_, workers_, listeners_, worker_watch_, logs_, reload_figures_};
  AdminAccess admin_access_;
  Reloads reloads_;
  std::optional<Admin> admin_;  // The thread that it starts reads everything above.
  const UnixSeconds program_started_at_ = sys::unix_seconds();
  UnixSeconds process_started_at_;    // Earlier, after an upgrade.
  std::optional<Takeover> takeover_;  // Until the workers serve.
  bool is_drain_pending_ = false;     // A drain was requested during the upgrade.
  sys::TimePoint stop_began_;
  bool is_stopping_ = false;
  bool are_workers_ended_ = false;
  ExitCode exit_code_ = ExitCode::stopped;
};

}  // namespace echod
