// The composition root: what echod is made of, and what it does when told to.
//
// The main thread runs this: signals, reload, log files, the drain deadline. It never touches a
// connection; the workers do nothing else. Once it serves it waits for nothing but its loop: not
// for the service manager, a terminal, a disk or a lock that is held meanwhile. Members are
// declared so that each may use those above it and is gone before them.
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
  // Raises the limit on descriptors, opens logs and listeners. Must run before any other thread.
  // Throws StartupError, or std::system_error when the operating system refuses.
  Service(CommandLine options, Config config, std::vector<PassedSocket> passed);

  // Serves until it is told to stop, and drains.
  [[nodiscard]] ExitCode run();

 private:
  [[nodiscard]] ConnectionLimit limit_under(const Config& config) const;
  [[nodiscard]] SpliceSettings splice_settings_under(const Config& config) const noexcept;
  [[nodiscard]] EchoSettings settings_under(const Config& config,
                                            const ConnectionLimit& limit) const;
  void warn_of_buffers(const EchoSettings& settings) noexcept;
  void listen(std::vector<PassedSocket> passed);
  void announce_start();
  void announce_limits() noexcept;
  void on_signal(int signal) noexcept;
  void obey(int signal);
  void stop(std::string_view cause) noexcept;
  void on_workers_watched() noexcept;
  void tell_ready() noexcept;
  void look_after_manager() noexcept;
  void end_if_the_rest_is_stuck() noexcept;
  void on_listener_lost();
  void reload() noexcept;
  [[nodiscard]] Config load();
  void on_loaded(LoadedConfig loaded) noexcept;
  void apply(const Config& wanted);
  void refuse_reload(std::vector<std::string> errors) noexcept;
  [[nodiscard]] std::string_view counters_line() noexcept;
  [[nodiscard]] std::string status_line() const;
  void report_dropped_lines() noexcept;
  void report_end() noexcept;
  [[nodiscard]] bool finish() noexcept;

  CommandLine options_;
  CommandLine loaded_options_;  // The loader's while it loads: those that a reload puts in force.
  Config config_;
  const sys::OpenFilesLimit open_files_;
  const std::size_t worker_count_;
  const std::uint64_t reserved_descriptors_;
  ConnectionLimit limit_;
  const sys::Terminal terminal_;
  ServiceManager manager_;
  sys::SignalFd signals_;           // Blocks them: before the first thread, which is the log's.
  std::atomic<int> lost_error_{0};  // errno of a listening socket that was lost.
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
  Timer housekeeping_;
  WorkerWatch worker_watch_;
  sys::TimePoint stop_began_;
  bool is_stopping_ = false;
  bool are_workers_ended_ = false;
  ExitCode exit_code_ = ExitCode::stopped;
  std::string counters_line_;
  std::string refusal_;         // Why the last reload was refused, if it was.
  pid_t reload_requester_ = 0;  // Waits for an answer, or 0.
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_refused_ = 0;
  std::uint64_t reported_dropped_lines_ = 0;
};

}  // namespace echod
