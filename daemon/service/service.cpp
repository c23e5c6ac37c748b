#include "service/service.hpp"

#include <spdlog/logger.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "config/config_dump.hpp"
#include "config/key_type.hpp"
#include "config/toml_value.hpp"
#include "service/restored_listeners.hpp"
#include "service/state_file.hpp"
#include "sys/prepared_exec.hpp"

namespace echod {

namespace {

// A second stop within this time counts as the first one: timeout(1) signals echod and then its
// process group, and a terminal and a supervisor may both send a signal.
constexpr std::chrono::seconds kSameStopInterval{1};
// While draining, echod asks the service manager for this much more time at each check of the
// workers.
constexpr std::chrono::seconds kStopExtension{10};
constexpr std::chrono::seconds kShortestWatchdog = 3 * WorkerWatch::kInterval;

}  // namespace

Service::Service(CommandLine options, Config config, ProgramFile program,
                 std::vector<PassedSocket> passed, std::optional<InheritedState> earlier)
    : program_(std::move(program)),
      capacity_(config, earlier ? earlier->values().service.foreign_descriptors
                                : unknown_descriptors(passed.size())),
      running_(running_config(std::move(options), std::move(config), capacity_)),
      signals_({SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}),
      logs_(running_.config.log),
      workers_(capacity_.workers(), capacity_.settings_for(running_.config, running_.limit),
               WorkerLogs{logs_.logger(), logs_.notice_logger()},
               {.on_ended = [this] { on_workers_ended_.notify(); },
                .on_listener_lost =
                    [this](int error) {
                      listener_error_.store(error);
                      on_listener_lost_.notify();
                    },
                .on_parked = [this] { reloads_.on_worker_parked(); },
                .on_serving = [this] { on_workers_serving_.notify(); }}),
      signal_watch_(loop_, signals_, [this](int signal) { on_signal(signal); }),
      manager_retry_(loop_.timers(), [this] { manager_.send_again(); }),
      drain_deadline_(loop_.timers(),
                      [this] { workers_.abort_connections(CloseReason::drain_deadline); }),
      worker_watch_(loop_, workers_, logs_.notices(), [this] { on_workers_checked(); }),
      admin_access_(loop_, logs_, worker_watch_,
                    {.on_log_levels = [this](const LogLevels& levels) { set_log_levels(levels); },
                     .on_drain =
                         [this] {
                           if (!is_stopping_) {  // A second one must not end all connections.
                             stop("a request of an operator");
                           }
                         },
                     .on_reload = [this](ReloadMode mode) { reloads_.request(mode); }}),
      reloads_(
          {.loop = loop_,
           .program = program_,
           .capacity = capacity_,
           .running = running_,
           .workers = workers_,
           .logs = logs_,
           .manager = manager_,
           .admin = admin_access_,
           .figures = reload_figures_},
          {.describe = [this] { return describe(); }, .on_ended = [this] { on_reload_ended(); }}),
      process_started_at_(program_started_at_) {
  reload_figures_.loaded_at = program_started_at_;
  if (!running_.limit.warning.empty()) {
    logs_.notices().warn("{}", running_.limit.warning);
  }
  OpenAdminSockets admin_sockets;
  if (earlier) {
    restore(*earlier);
    admin_sockets = restore_admin_sockets(earlier->values().service.admin);
    publish_facts();
  } else {
    listeners_.open(std::move(passed), running_.config);
    admin_access_.publish(facts());
  }
  open_admin(std::move(admin_sockets));
  if (running_.options.quit_on_stdin) {
    (void)try_step([this] { stdin_watch_.emplace(loop_, [this] { stop("standard input"); }); },
                   "a line on it does not stop echod any more");
  }
}

// Makes a step of the start. Returns false if it failed after an upgrade: then the failure is only
// logged, because the clients must be served.
bool Service::try_step(const std::function<void()>& step, std::string_view consequence) {
  try {
    step();
    return true;
  } catch (const std::runtime_error& error) {
    if (!takeover_) {
      throw;
    }
    logs_.notices().error("upgrade: {}; {}", error.what(), consequence);
    return false;
  }
}

ExitCode Service::run() {
  workers_.start();
  worker_watch_.start();
  admin_access_.set_phase(Phase::serving);
  announce_start();
  notify_ready();
  manager_.alive();
  reports_.start();
  while (!are_workers_ended_ || reloads_.is_cancelling()) {
    loop_.run_once();
    check_service_manager();
  }
  reports_.log_totals();
  if (exit_code_ != ExitCode::stopped) {
    manager_.failed("a listening socket failed", listener_error_.load());
  }
  if (!finish()) {
    std::_Exit(static_cast<int>(exit_code_));
  }
  return exit_code_;
}

// Sends the queued notifications and writes the queued log lines, within a fixed time. Returns
// false if a thread is still running: the process must exit without destructors, which would wait
// for it.
bool Service::finish() noexcept {
  manager_.flush();
  return logs_.finish() && !reloads_.has_running_thread();
}

void Service::restore(const InheritedState& earlier) {
  const auto& [service, connections] = earlier.values();
  Takeover& takeover = takeover_.emplace();
  takeover.descriptors = descriptors_of(service);
  const std::size_t of_service = takeover.descriptors.size();
  for (const ParkedConnection& connection : connections) {
    append_descriptors_of(connection, takeover.descriptors);
    takeover.owed_bytes += connection.owed.size() + connection.pipe_bytes;
  }
  const std::uint64_t usable = capacity_.usable_descriptors();
  const std::uint64_t used = std::min(usable, takeover.descriptors.size() - of_service);
  const ListenerNumbers numbers =
      listeners_.restore(service.listeners, running_.config, usable - used, logs_.notices());
  restore_workers(workers_, earlier.values(), numbers, earlier.memory());
  logs_.restore(count_of(service.counts, "log_lines_dropped"),
                count_of(service.counts, "log_write_failures"));
  reports_.restore(count_of(service.counts, "dropped_lines_reported"));
  worker_watch_.restore(count_of(service.counts, "worker_stalls"));
  reloads_.restore(service);
  process_started_at_ = service.process_started_at;
  is_drain_pending_ = count_of(service.counts, "drain_pending") > 0;
  if (count_of(service.counts, "shortage_logged") > 0) {
    workers_.line_limits().restore_shortage();
  }
  takeover.version = service.version;
  takeover.connections = connections.size();
  takeover.pause_began = sys::TimePoint(std::chrono::milliseconds(service.pause_began_ms));
}

void Service::open_admin(OpenAdminSockets earlier) {
  constexpr std::string_view kConsequence = "operators cannot connect there; reload to try again";
  if (!wants_admin(running_.config.admin)) {
    return;
  }
  const auto construct = [this] {
    admin_.emplace(workers_, admin_access_, listeners_.sockets(), listeners_.datagrams());
  };
  if (!try_step(construct, kConsequence)) {
    return;
  }
  // If one socket cannot be opened, the other one serves.
  (void)try_step([&] { open_admin_sockets(*admin_, running_.config.admin, std::move(earlier)); },
                 kConsequence);
  if (!try_step([this] { admin_->start(); }, kConsequence)) {
    admin_.reset();
  }
}

// Called when the workers serve. Sets CLOEXEC on the descriptors that were taken over. This is
// early enough, because echod has started no child before. A worker may have closed one of them
// and got its number again for a new descriptor, which has CLOEXEC already.
void Service::on_workers_serving() noexcept {
  if (!takeover_ || !workers_.are_serving()) {
    return;
  }
  const Takeover takeover = *std::exchange(takeover_, std::nullopt);
  sys::set_close_on_exec(takeover.descriptors);
  UpgradeFigures& upgrades = reload_figures_.upgrades;
  upgrades.last_pause_s =
      std::chrono::duration<double>(sys::MonotonicClock::now() - takeover.pause_began).count();
  const std::uint64_t lost = workers_.not_resumed();
  if (lost > 0) {
    logs_.notices().error("upgrade: {} connections were lost: there was no memory for them", lost);
  }
  upgrades.last_connections = takeover.connections - lost;
  upgrades.earlier_version = takeover.version;
  publish_facts();
  logs_.notices().info(
      "upgrade: echod {} has replaced echod {}: kept {} connections and {} owed bytes; the "
      "pause took {} ms",
      ECHOD_VERSION, takeover.version, upgrades.last_connections, takeover.owed_bytes,
      static_cast<std::uint64_t>(upgrades.last_pause_s * 1000));
  reloads_.on_restored();
  if (std::exchange(is_drain_pending_, false) && !is_stopping_) {
    stop("a request of an operator");
  }
}

void Service::announce_start() {
  spdlog::logger& notices = logs_.notices();
  listeners_.announce(running_.config, notices);
  if (admin_) {
    notices.info("admin requests: {}", joined(admin_->addresses()));
  }
  capacity_.announce(running_.config, running_.limit, notices);
  if (manager_.watchdog().count() > 0 && manager_.watchdog() < kShortestWatchdog) {
    notices.warn(
        "WatchdogSec= of the unit is too short: systemd may kill a healthy echod; set {} s or more",
        kShortestWatchdog.count());
  }
  if (!manager_.unusable_name().empty()) {
    notices.warn(
        "NOTIFY_SOCKET={} is unusable: it must be an absolute path, or @ and an abstract name; the "
        "service manager is not notified",
        manager_.unusable_name());
  }
  notices.info("started: echod {}, pid {}, time zone {}, configuration: {}", ECHOD_VERSION,
               ::getpid(), logs_.time_zone_at_start(), config_name(running_.options));
}

void Service::on_signal(int signal) noexcept {
  try {
    handle_signal(signal);
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to handle {}; send it again",
                          sys::signal_name(signal));
  }
}

void Service::handle_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      if (terminal_.has_hung_up(signals_.info())) {
        stop("the closed terminal");
      } else {
        reloads_.request(signals_.info());
      }
      break;
    case SIGUSR1:
      logs_.reopen();
      break;
    case SIGUSR2:
      logs_.notices().info(reports_.counters_line());
      break;
    default:
      stop(sys::signal_name(signal));
      break;
  }
}

void Service::stop(std::string_view cause) noexcept {
  if (is_stopping_ && loop_.now() - stop_began_ < kSameStopInterval) {
    return;
  }
  if (is_stopping_) {
    logs_.notices().info("closing all connections now because of a second stop request: {}", cause);
    workers_.abort_connections(CloseReason::forced);
    return;
  }
  const auto deadline = running_.config.timeouts.drain;
  reloads_.stop();
  admin_access_.set_phase(Phase::draining);
  manager_.stopping();
  manager_.extend_timeout(kStopExtension);
  logs_.notices().info("stopping because of {}; connections may finish for at most {} s", cause,
                       std::chrono::duration<double>(deadline).count());
  listeners_.release();
  workers_.drain();
  is_stopping_ = true;
  stop_began_ = loop_.now();
  drain_deadline_.expire_at(stop_began_ + deadline);
}

void Service::on_workers_checked() noexcept {
  if (worker_watch_.have_all_answered()) {
    manager_.alive();
  }
  if (is_stopping_) {
    manager_.extend_timeout(kStopExtension);
  }
  try {
    manager_.status(reports_.status_line(is_stopping_));
  } catch (const std::bad_alloc&) {
    // The next check sends the status, 2 s later.
  }
  exit_if_only_stuck_left();
}

// Called after each iteration, because the iteration may have sent notifications.
void Service::check_service_manager() noexcept {
  if (const int error = manager_.take_error(); error != 0) {
    logs_.notices().error("cannot notify the service manager: {}; echod continues and retries",
                          sys::error_text(error));
  }
  if (manager_.has_unsent() && !manager_retry_.is_running()) {
    manager_retry_.expire_at(loop_.now() + ServiceManager::kRetryInterval);
  }
}

// Falls back to a message without a status, because the manager waits for READY=1 after
// RELOADING=1.
void Service::notify_ready() noexcept {
  try {
    manager_.ready(reports_.status_line(is_stopping_));
  } catch (const std::bad_alloc&) {
    manager_.ready();
  }
}

// Exits without destructors, which would wait for the stuck threads. Does not wait for the drain
// deadline: a stuck worker keeps the listening sockets open, so clients connect and are not served.
void Service::exit_if_only_stuck_left() noexcept {
  if (!is_stopping_ || !worker_watch_.are_only_stuck_left()) {
    return;
  }
  logs_.notices().critical("{} of {} workers are stuck and do not end; exiting without them",
                           workers_.running(), workers_.size());
  reports_.log_totals();
  manager_.failed("exited with stuck workers", 0);
  (void)finish();
  std::_Exit(static_cast<int>(ExitCode::internal));
}

void Service::on_listener_lost() {
  exit_code_ = ExitCode::system;
  if (!is_stopping_) {
    stop("a failed listening socket");
  }
}

// Also after a refused reload, for which sd_notify(3) has no message.
void Service::on_reload_ended() noexcept {
  if (drain_deadline_.is_running()) {
    drain_deadline_.expire_at(stop_began_ + running_.config.timeouts.drain);
  }
  publish_facts();
  notify_ready();
}

ServiceState Service::describe() {
  ServiceState state;
  state.version = ECHOD_VERSION;
  state.process_started_at = process_started_at_;
  state.counts = {{"worker_stalls", worker_watch_.stalls()},
                  {"log_lines_dropped", logs_.dropped_lines()},
                  {"dropped_lines_reported", reports_.reported_dropped_lines()},
                  {"log_write_failures", logs_.write_failures()},
                  {"drain_pending", admin_access_.is_drain_requested() ? 1U : 0U},
                  {"shortage_logged", workers_.line_limits().is_shortage_logged() ? 1U : 0U}};
  state.foreign_descriptors = capacity_.foreign_descriptors();
  state.listeners = listeners_.states(running_.config);
  if (admin_) {
    state.admin = state_of(*admin_);
  }
  return state;
}

ServiceFacts Service::facts() const {
  return {.process_started_at = process_started_at_,
          .program_started_at = program_started_at_,
          .upgrades = reload_figures_.upgrades,
          .config_name = config_name(running_.options),
          .config_text = dump_config(running_.config),
          .config_loaded_at = reload_figures_.loaded_at,
          .reloads_applied = reload_figures_.applied,
          .reloads_refused = reload_figures_.refused,
          .reload_error = reload_figures_.last_error,
          .max_connections = running_.limit.max_connections,
          .open_files_limit = capacity_.open_files(),
          .buffer_bytes_limit = std::uint64_t{running_.config.buffers.total_mib} << 20U};
}

// Gives the facts to the admin thread, which keeps the previous ones if memory is short.
void Service::publish_facts() noexcept {
  try {
    admin_access_.publish(facts());
  } catch (const std::bad_alloc&) {
    logs_.notices().error(
        "not enough memory to show operators the new configuration; they see the previous one");
  }
  admin_access_.set_reloading(reloads_.is_in_progress());
}

// Until the next reload.
void Service::set_log_levels(const LogLevels& levels) noexcept {
  try {
    Config changed = running_.config;
    changed.log.file_level = levels.file.value_or(changed.log.file_level);
    changed.log.stderr_level = levels.stderr_level.value_or(changed.log.stderr_level);
    logs_.apply(changed.log);
    workers_.apply(capacity_.settings_for(changed, running_.limit));
    running_.config = std::move(changed);
    logs_.notices().info("an operator set the log levels: file {}, standard error {}",
                         level_name(running_.config.log.file_level),
                         level_name(running_.config.log.stderr_level));
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to set the log levels");
  }
  publish_facts();
}

}  // namespace echod
