#include "service/service.hpp"

#include <spdlog/logger.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include "config/config_dump.hpp"
#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "config/key_type.hpp"
#include "config/toml_value.hpp"
#include "service/carried_listeners.hpp"
#include "service/config_source.hpp"
#include "service/reload_request.hpp"
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

// Runs in the loader's thread.
std::string change_of(const ProgramFile& program, ReloadMode mode) {
  return mode == ReloadMode::forced ? "an operator asked for it" : program.change();
}

// Why a reload needs an upgrade; empty if it does not.
std::string upgrade_cause(const Config& running, const LoadedConfig& loaded) {
  if (!loaded.program_change.empty()) {
    return loaded.program_change;
  }
  const auto keys =
      loaded.config ? keys_needing_upgrade(running, *loaded.config) : std::vector<std::string>();
  return keys.empty() ? "" : "changed: " + joined(keys);
}

std::string config_name(const CommandLine& options) {
  return options.config_file ? shown_name(*options.config_file)
                             : std::string("built-in defaults, no ") + kDefaultConfigFile;
}

}  // namespace

Service::Service(CommandLine options, Config config, ProgramFile program,
                 std::vector<PassedSocket> passed, std::optional<InheritedState> earlier)
    : program_(std::move(program)),
      options_(std::move(options)),
      config_(std::move(config)),
      capacity_(config_, earlier ? earlier->values().service.inherited_descriptors
                                 : unknown_descriptors(passed.size())),
      limit_(capacity_.limit_for(config_)),
      signals_({SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}),
      logs_(config_.log),
      workers_(capacity_.workers(), capacity_.settings_for(config_, limit_),
               WorkerLogs{logs_.logger(), logs_.notice_logger()},
               {.on_ended = [this] { on_workers_ended_.notify(); },
                .on_listener_lost =
                    [this](int error) {
                      listener_error_.store(error);
                      on_listener_lost_.notify();
                    },
                .on_parked = [this] { upgrade_.on_worker_parked(); },
                .on_serving = [this] { on_workers_serving_.notify(); }}),
      upgrade_(
          loop_, workers_, program_,
          {.describe = [this] { return describe(); },
           .before_exec = [this] { before_exec(); },
           .on_failed = [this](Upgrade::Result result,
                               std::string why) { on_upgrade_failed(result, std::move(why)); }}),
      signal_watch_(loop_, signals_, [this](int signal) { on_signal(signal); }),
      loader_(
          loop_, [this](ReloadMode mode) { return change_of(program_, mode); },
          [this] { return load(); }, [this](LoadedConfig loaded) { on_loaded(std::move(loaded)); }),
      manager_retry_(loop_.timers(), [this] { manager_.send_again(); }),
      drain_deadline_(loop_.timers(),
                      [this] { workers_.abort_connections(CloseReason::drain_deadline); }),
      worker_watch_(loop_, workers_, logs_.notices(), [this] { on_workers_checked(); }),
      admin_access_(loop_, logs_, worker_watch_,
                    {.on_log_levels = [this](const LogLevels& levels) { set_log_levels(levels); },
                     .on_drain =
                         [this] {
                           if (!is_stopping_) {  // A second one must not end all connections.
                             stop("an operator");
                           }
                         },
                     .on_reload = [this](ReloadMode mode) { reload(mode); }}),
      process_started_at_(program_started_at_) {
  reloads_.loaded_at = program_started_at_;
  if (!limit_.warning.empty()) {
    logs_.notices().warn("{}", limit_.warning);
  }
  OpenAdminSockets admin_sockets;
  if (earlier) {
    go_on_after(*earlier);
    admin_sockets = take_over(earlier->values().service.admin);
  } else {
    listeners_.open(std::move(passed), config_);
  }
  publish_facts();
  open_admin(std::move(admin_sockets));
  if (options_.quit_on_stdin) {
    stdin_watch_.emplace(loop_, [this] { stop("standard input"); });
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
  while (!are_workers_ended_) {
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
  return logs_.finish() && !loader_.is_loading() && !upgrade_.is_checking();
}

void Service::go_on_after(const InheritedState& earlier) {
  const auto& [service, connections] = earlier.values();
  const ListenerNumbers numbers = listeners_.take_over(service.listeners, config_, logs_.notices());
  carry_over(workers_, earlier.values(), numbers, earlier.memory());
  Takeover& takeover = takeover_.emplace();
  takeover.descriptors = descriptors_of(service);
  logs_.carry_over(count_of(service.counts, "log_lines_dropped"),
                   count_of(service.counts, "log_write_failures"));
  worker_watch_.carry_over(count_of(service.counts, "worker_stalls"));
  reloads_.applied = count_of(service.counts, "reloads") + 1;
  reloads_.refused = count_of(service.counts, "reloads_refused");
  reloads_.upgrades = {.done = count_of(service.counts, "upgrades_done") + 1,
                       .refused = count_of(service.counts, "upgrades_refused"),
                       .failed = count_of(service.counts, "upgrades_failed")};
  process_started_at_ = service.process_started_at;
  reload_requester_ = service.reload_requester;
  if (count_of(service.counts, "forced_reload_pending") > 0) {
    pending_reload_ = ReloadMode::forced;
  } else if (count_of(service.counts, "reload_pending") > 0) {
    pending_reload_ = ReloadMode::as_needed;
  }
  is_drain_pending_ = count_of(service.counts, "drain_pending") > 0;
  takeover.version = service.version;
  takeover.connections = connections.size();
  for (const ParkedConnection& connection : connections) {
    append_descriptors_of(connection, takeover.descriptors);
    takeover.owed_bytes += connection.owed.size() + connection.pipe_bytes;
  }
  takeover.pause_began = sys::TimePoint(std::chrono::milliseconds(service.pause_began_ms));
}

// After an upgrade the clients are worth more than a socket for operators.
void Service::open_admin(OpenAdminSockets earlier) {
  if (!wants_admin(config_.admin)) {
    return;
  }
  admin_.emplace(workers_, admin_access_, listeners_.sockets(), listeners_.datagrams());
  try {
    open_admin_sockets(*admin_, config_.admin, std::move(earlier));
  } catch (const StartupError& error) {
    if (!takeover_) {
      throw;
    }
    logs_.notices().error("upgrade: {}; reload to try again", error.what());
  }
  admin_->start();
}

// The workers serve. No other program can have been started yet, so it is early enough to
// keep the descriptors from it. One that a worker has used again has CLOEXEC already.
void Service::on_workers_serving() noexcept {
  if (!takeover_ || !workers_.are_serving()) {
    return;
  }
  const Takeover takeover = *std::exchange(takeover_, std::nullopt);
  sys::keep_from_programs(takeover.descriptors);
  UpgradeFigures& upgrades = reloads_.upgrades;
  upgrades.last_pause_s =
      std::chrono::duration<double>(sys::MonotonicClock::now() - takeover.pause_began).count();
  upgrades.last_connections = takeover.connections;
  upgrades.earlier_version = takeover.version;
  publish_facts();
  logs_.notices().info(
      "upgrade: echod {} has replaced echod {}: {} connections with {} owed bytes went on after a "
      "pause of {} ms",
      ECHOD_VERSION, takeover.version, takeover.connections, takeover.owed_bytes,
      static_cast<std::uint64_t>(upgrades.last_pause_s * 1000));
  end_upgrade(true);
  if (std::exchange(is_drain_pending_, false) && !is_stopping_) {
    stop("an operator");
  }
}

void Service::announce_start() {
  spdlog::logger& notices = logs_.notices();
  listeners_.announce(config_, notices);
  if (admin_) {
    notices.info("admin requests: {}", joined(admin_->addresses()));
  }
  capacity_.announce(config_, limit_, notices);
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
               ::getpid(), logs_.time_zone_at_start(), config_name(options_));
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
        stop("the terminal was closed");
      } else {
        reload_requester_ = requester_of(signals_.info());
        reload(ReloadMode::as_needed);
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
    logs_.notices().info("stopping: {} while draining, closing all connections now", cause);
    workers_.abort_connections(CloseReason::forced);
    return;
  }
  const auto deadline = config_.timeouts.drain;
  upgrade_.cancel();
  pending_reload_.reset();
  admin_access_.set_reloading(is_reload_in_progress());
  admin_access_.set_phase(Phase::draining);
  manager_.stopping();
  manager_.extend_timeout(kStopExtension);
  logs_.notices().info("stopping: {}, draining for at most {} s", cause,
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
    logs_.notices().error("cannot notify the service manager: {}; echod goes on and tries again",
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
  manager_.failed("exited without workers that are stuck", 0);
  (void)finish();
  std::_Exit(static_cast<int>(ExitCode::internal));
}

void Service::on_listener_lost() {
  exit_code_ = ExitCode::system;
  if (!is_stopping_) {
    stop("a listening socket failed");
  }
}

// Reopens the log file first, so that a rotation works even if the configuration is invalid or its
// disk does not respond.
void Service::reload(ReloadMode mode) noexcept {
  manager_.reloading();
  try {
    logs_.reopen();
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to reopen the log file; send SIGUSR1 to try again");
  }
  if (upgrade_.is_in_progress() || takeover_) {
    pending_reload_ = merged(pending_reload_, mode);
  } else {
    loader_.load(mode);
  }
  admin_access_.set_reloading(true);
}

bool Service::is_reload_in_progress() const noexcept {
  return takeover_ || pending_reload_ || loader_.is_loading() || loader_.is_next_load_pending() ||
         upgrade_.is_in_progress();
}

// Runs in the loader's thread. If the default file exists now, later reloads require it, as after a
// start.
Config Service::load() {
  next_options_ = options_;
  next_options_.config_file = config_file_in_use(options_);
  return effective_config(next_options_);
}

void Service::on_loaded(LoadedConfig loaded) noexcept {
  if (upgrade_.is_in_progress()) {
    pending_reload_ = merged(pending_reload_, loaded.mode);
    return;
  }
  const std::uint64_t applied = reloads_.applied;
  try {
    const std::string cause = upgrade_cause(config_, loaded);
    if (!cause.empty() && !is_stopping_) {
      begin_upgrade(cause);
      return;
    }
    if (!loaded.program_change.empty()) {
      refuse_reload({"upgrade: " + cause + ", but echod stops and is not upgraded"});
    } else if (loaded.config) {
      apply(*loaded.config);
    } else {
      refuse_reload(std::move(loaded.errors));
    }
  } catch (const std::bad_alloc&) {
    refuse_reload({});
  }
  publish_facts();
  notify_ready();  // Also after a refused reload: sd_notify(3) has no message for that.
  // A pending load answers instead: it reads the file as it was when the request came, or later.
  if (!loader_.is_next_load_pending()) {
    answer_reload(std::exchange(reload_requester_, 0), reloads_.applied > applied);
  }
}

// Applies all of `wanted`, or nothing if it throws std::bad_alloc.
void Service::apply(const Config& wanted) {
  const std::string name = config_name(next_options_);
  Config next = reloaded(config_, wanted);
  ConnectionLimit limit = capacity_.limit_for(next);
  const EchoSettings settings = capacity_.settings_for(next, limit);
  logs_.apply(next.log);  // The last call that may throw; then nothing has changed.
  workers_.apply(settings);
  const bool has_new_limits =
      limit.max_connections != limit_.max_connections || next.buffers != config_.buffers;
  const bool has_new_warning = !limit.warning.empty() && limit.warning != limit_.warning;
  config_ = std::move(next);
  options_ = std::move(next_options_);
  limit_ = std::move(limit);
  if (drain_deadline_.is_running()) {
    drain_deadline_.expire_at(stop_began_ + config_.timeouts.drain);
  }
  ++reloads_.applied;
  reloads_.loaded_at = sys::unix_seconds();
  reloads_.last_error.clear();
  logs_.notices().info("reload: applied, configuration: {}", name);
  if (has_new_limits) {
    capacity_.announce(config_, limit_, logs_.notices());
  }
  if (has_new_warning) {
    logs_.notices().warn("{}", limit_.warning);
  }
}

void Service::begin_upgrade(std::string_view cause) noexcept {
  logs_.notices().info("upgrade: {}; checking {}", cause, program_.path());
  upgrade_.begin();
}

// An operator's order that comes after this would be lost, so it has to wait.
ServiceState Service::describe() {
  if (upgrade_.is_parking()) {
    admin_access_.hold_orders();
  }
  std::optional<ReloadMode> next = pending_reload_;
  if (const auto ordered = admin_access_.ordered_reload()) {
    next = merged(next, *ordered);
  }
  ServiceState state;
  state.version = ECHOD_VERSION;
  state.process_started_at = process_started_at_;
  state.reload_requester = reload_requester_;
  state.counts = {{"reloads", reloads_.applied},
                  {"reloads_refused", reloads_.refused},
                  {"upgrades_done", reloads_.upgrades.done},
                  {"upgrades_refused", reloads_.upgrades.refused},
                  {"upgrades_failed", reloads_.upgrades.failed},
                  {"worker_stalls", worker_watch_.stalls()},
                  {"log_lines_dropped", logs_.dropped_lines()},
                  {"log_write_failures", logs_.write_failures()},
                  {"reload_pending", next ? 1U : 0U},
                  {"forced_reload_pending", next == ReloadMode::forced ? 1U : 0U},
                  {"drain_pending", admin_access_.is_drain_ordered() ? 1U : 0U}};
  state.inherited_descriptors = capacity_.inherited_descriptors();
  state.listeners = states_of(listeners_.sockets(), config_);
  const std::vector<ListenerState> datagrams = states_of(listeners_.datagrams(), config_);
  state.listeners.insert(state.listeners.end(), datagrams.begin(), datagrams.end());
  if (admin_) {
    state.admin = state_of(*admin_);
  }
  return state;
}

void Service::before_exec() noexcept {
  constexpr std::chrono::milliseconds kLogTime{200};
  manager_.alive();
  logs_.write_queued(kLogTime);
}

void Service::on_upgrade_failed(Upgrade::Result result, std::string why) noexcept {
  admin_access_.accept_orders();
  UpgradeFigures& upgrades = reloads_.upgrades;
  ++(result == Upgrade::Result::refused ? upgrades.refused : upgrades.failed);
  try {
    std::vector<std::string> errors;
    if (!why.empty()) {
      errors.push_back("upgrade: " + why);
    }
    refuse_reload(std::move(errors));
  } catch (const std::bad_alloc&) {
    refuse_reload({});
  }
  upgrades.last_error = why.empty() ? "out of memory" : std::move(why);
  publish_facts();
  notify_ready();
  end_upgrade(false);
}

// Answers, or starts the reload that was requested meanwhile, which answers instead.
void Service::end_upgrade(bool is_done) noexcept {
  if (const auto next = std::exchange(pending_reload_, std::nullopt)) {
    loader_.load(*next);
  } else {
    answer_reload(std::exchange(reload_requester_, 0), is_done);
  }
  admin_access_.set_reloading(is_reload_in_progress());
}

// For the admin thread, which keeps the previous facts if there is not enough memory.
void Service::publish_facts() noexcept {
  try {
    admin_access_.publish({.process_started_at = process_started_at_,
                           .program_started_at = program_started_at_,
                           .upgrades = reloads_.upgrades,
                           .config_name = config_name(options_),
                           .config_text = dump_config(config_),
                           .config_loaded_at = reloads_.loaded_at,
                           .reloads_applied = reloads_.applied,
                           .reloads_refused = reloads_.refused,
                           .reload_error = reloads_.last_error,
                           .max_connections = limit_.max_connections,
                           .open_files_limit = capacity_.open_files(),
                           .buffer_bytes_limit = std::uint64_t{config_.buffers.total_mib} << 20U});
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to show operators the new configuration");
  }
  admin_access_.set_reloading(is_reload_in_progress());
}

// Until the next reload.
void Service::set_log_levels(const LogLevels& levels) noexcept {
  try {
    Config changed = config_;
    changed.log.file_level = levels.file.value_or(changed.log.file_level);
    changed.log.stderr_level = levels.stderr_level.value_or(changed.log.stderr_level);
    logs_.apply(changed.log);
    workers_.apply(capacity_.settings_for(changed, limit_));
    config_ = std::move(changed);
    logs_.notices().info("an operator set the log levels: file {}, standard error {}",
                         level_name(config_.log.file_level), level_name(config_.log.stderr_level));
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to set the log levels");
  }
  publish_facts();
}

// No errors: there was not enough memory.
void Service::refuse_reload(std::vector<std::string> errors) noexcept {
  for (const std::string& line : errors) {
    logs_.notices().error("{}", line);
  }
  ++reloads_.refused;
  if (errors.empty()) {
    reloads_.last_error = "out of memory";  // Short enough not to allocate.
    logs_.notices().error("not enough memory to reload the configuration");
  } else {
    reloads_.last_error = std::move(errors.front());
  }
  logs_.notices().error("reload: refused, the running configuration is kept");
}

}  // namespace echod
