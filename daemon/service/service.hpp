// The composition root: owns all parts of echod and connects them.
//
// The main thread runs the Service: it handles signals, reloads, the log file and the drain
// deadline, and never touches a connection. The workers serve the connections. While serving, the
// main thread blocks only in its event loop: never on the service manager, a terminal, a disk or a
// lock that is held during such a call. Members are destroyed in reverse order, so each member may
// use those declared above it.
//
//   serving --SIGTERM, SIGINT, standard input--> stopping --workers ended--> stopped
//
// Thread-safety: one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/command_line.hpp"
#include "config/config.hpp"
#include "echo/workers.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "loop/signal_watch.hpp"
#include "loop/timer.hpp"
#include "service/config_loader.hpp"
#include "service/connection_limit.hpp"
#include "service/exit_codes.hpp"
#include "service/logs.hpp"
#include "service/passed_sockets.hpp"
#include "service/service_manager.hpp"
#include "service/stdin_watch.hpp"
#include "service/worker_watch.hpp"
#include "sys/listen_socket.hpp"
#include "sys/open_files.hpp"
#include "sys/signal_fd.hpp"
#include "sys/terminal.hpp"

namespace echod {

class Service {
 public:
  // Sets the limit on open files, opens the logs and the listeners. Must be called before any other
  // thread starts. Throws StartupError, std::system_error or std::bad_alloc.
  Service(CommandLine options, Config config, std::vector<PassedSocket> passed);

  // Serves until it is stopped and drained. Exits the process itself if a thread is stuck.
  [[nodiscard]] ExitCode run();

 private:
  [[nodiscard]] ConnectionLimit limit_for(const Config& config) const;
  [[nodiscard]] SpliceSettings splice_settings_for(const Config& config) const noexcept;
  [[nodiscard]] EchoSettings settings_for(const Config& config, const ConnectionLimit& limit) const;
  void warn_about_buffers(const EchoSettings& settings) noexcept;
  void listen(std::vector<PassedSocket> passed);
  void announce_start();
  void announce_limits() noexcept;
  void on_signal(int signal) noexcept;
  void handle_signal(int signal);
  void stop(std::string_view cause) noexcept;
  void on_workers_checked() noexcept;
  void notify_ready() noexcept;
  void check_service_manager() noexcept;
  void exit_if_only_stuck_left() noexcept;
  void on_listener_lost();
  void reload() noexcept;
  [[nodiscard]] Config load();
  void on_loaded(LoadedConfig loaded) noexcept;
  void apply(const Config& wanted);
  void refuse_reload(std::vector<std::string> errors) noexcept;
  [[nodiscard]] std::string_view counters_line() noexcept;
  [[nodiscard]] std::string status_line() const;
  void log_dropped_lines() noexcept;
  void log_totals() noexcept;
  [[nodiscard]] bool finish() noexcept;

  CommandLine options_;
  CommandLine next_options_;  // For the next reload. Owned by the loader's thread while it loads.
  Config config_;
  const sys::OpenFilesLimit open_files_;
  const std::size_t worker_count_;
  const std::uint64_t reserved_descriptors_;
  ConnectionLimit limit_;
  const sys::Terminal terminal_;
  ServiceManager manager_;
  sys::SignalFd signals_;  // Blocks signals, so it must precede logs_, which starts threads.
  std::atomic<int> listener_error_{0};  // errno of a listening socket that failed.
  Logs logs_;
  EventLoop loop_;
  Notifier on_workers_ended_{loop_, [this] { are_workers_ended_ = true; }};
  Notifier on_listener_lost_{loop_, [this] { on_listener_lost(); }};
  Workers workers_;
  std::vector<std::shared_ptr<const sys::ListenSocket>> listeners_;
  SignalWatch signal_watch_;
  std::optional<StdinWatch> stdin_watch_;
  ConfigLoader loader_;
  Timer manager_retry_;
  Timer drain_deadline_;
  Timer dropped_lines_timer_;
  WorkerWatch worker_watch_;
  sys::TimePoint stop_began_;
  bool is_stopping_ = false;
  bool are_workers_ended_ = false;
  ExitCode exit_code_ = ExitCode::stopped;
  std::string counters_line_;
  std::string reload_error_;    // Why the last reload was refused; else empty.
  pid_t reload_requester_ = 0;  // See requester_of().
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_refused_ = 0;
  std::uint64_t reported_dropped_lines_ = 0;
};

}  // namespace echod
