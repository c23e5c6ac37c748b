#include "service/service.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/logger.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <new>
#include <numeric>
#include <string>
#include <system_error>
#include <utility>

#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "config/toml_value.hpp"
#include "service/config_source.hpp"
#include "service/listen_error.hpp"
#include "service/reload_request.hpp"
#include "sys/available_cpus.hpp"

namespace echod {

namespace {

constexpr std::chrono::seconds kDroppedLinesInterval{10};
// A second stop within this time counts as the first one: timeout(1) signals echod and then its
// process group, and a terminal and a supervisor may both send a signal.
constexpr std::chrono::seconds kSameStopInterval{1};
// While draining, echod asks the service manager for this much more time at each check of the
// workers.
constexpr std::chrono::seconds kStopExtension{10};
constexpr std::size_t kLongestCountersLine = 4096;
constexpr std::chrono::seconds kShortestWatchdog = 3 * WorkerWatch::kInterval;

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : std::to_string(signal);
}

// Descriptors that are open at the start, without the standard streams and the passed sockets.
std::size_t inherited_descriptors(std::size_t passed) {
  const std::size_t known = STDERR_FILENO + 1 + passed;
  return std::max(sys::open_descriptors(), known) - known;
}

// Open connections: accepted and not closed.
std::uint64_t open_connections(const std::array<std::uint64_t, kCounters>& counters) {
  return counters.at(static_cast<std::size_t>(Counter::accepted)) -
         std::accumulate(counters.end() - kCloseReasons, counters.end(), std::uint64_t{0});
}

std::string_view ipv4_only_note(const sys::ListenSocket& socket) {
  if (!socket.fell_back_to_v4) {
    return "";
  }
  return socket.is_inherited ? " (IPv4 only: the passed socket is IPv4)"
                             : " (IPv4 only: this host has no IPv6)";
}

std::string config_name(const CommandLine& options) {
  return options.config_file ? shown_name(*options.config_file)
                             : std::string("built-in defaults, no ") + kDefaultConfigFile;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

Service::Service(CommandLine options, Config config, std::vector<PassedSocket> passed)
    : options_(std::move(options)),
      config_(std::move(config)),
      open_files_(sys::set_open_files(config_.limits.open_files)),
      worker_count_(config_.workers == 0 ? sys::available_cpus() : config_.workers),
      reserved_descriptors_(reserved_descriptors(config_.listen.size(), worker_count_,
                                                 inherited_descriptors(passed.size()))),
      limit_(limit_for(config_)),
      signals_({SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}),
      logs_(config_.log),
      workers_(worker_count_, settings_for(config_, limit_),
               WorkerLogs{logs_.logger(), logs_.notice_logger()},
               {.on_ended = [this] { on_workers_ended_.notify(); },
                .on_listener_lost =
                    [this](int error) {
                      listener_error_.store(error);
                      on_listener_lost_.notify();
                    }}),
      signal_watch_(loop_, signals_, [this](int signal) { on_signal(signal); }),
      loader_(
          loop_, [this] { return load(); },
          [this](LoadedConfig loaded) { on_loaded(std::move(loaded)); }),
      manager_retry_(loop_.timers(), [this] { manager_.send_again(); }),
      drain_deadline_(loop_.timers(),
                      [this] { workers_.abort_connections(CloseReason::drain_deadline); }),
      dropped_lines_timer_(loop_.timers(), [this] { log_dropped_lines(); }),
      worker_watch_(loop_, workers_, logs_.notices(), [this] { on_workers_checked(); }) {
  counters_line_.reserve(kLongestCountersLine);
  if (!limit_.warning.empty()) {
    logs_.notices().warn("{}", limit_.warning);
  }
  listen(std::move(passed));
  if (options_.quit_on_stdin) {
    stdin_watch_.emplace(loop_, [this] { stop("standard input"); });
  }
}

ExitCode Service::run() {
  workers_.start();
  worker_watch_.start();
  announce_start();
  notify_ready();
  dropped_lines_timer_.expire_at(loop_.now() + kDroppedLinesInterval);
  while (!are_workers_ended_) {
    loop_.run_once();
    check_service_manager();
  }
  log_totals();
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
  return logs_.finish() && !loader_.is_loading();
}

void Service::log_totals() noexcept {
  log_dropped_lines();
  logs_.logger()->info(counters_line());
  const auto counters = workers_.counters();
  const auto count = [&counters](Counter counter) {
    return counters.at(static_cast<std::size_t>(counter));
  };
  logs_.notices().info("stopped: {} connections served, {} bytes received, {} bytes sent",
                       count(Counter::accepted), count(Counter::bytes_received),
                       count(Counter::bytes_sent));
}

ConnectionLimit Service::limit_for(const Config& config) const {
  const std::uint64_t pipes = worker_count_ * splice_settings_for(config).pipes;
  return connection_limit(config.limits, open_files_,
                          reserved_descriptors_ + pipes * kDescriptorsPerPipe);
}

EchoSettings Service::settings_for(const Config& config, const ConnectionLimit& limit) const {
  return echo_settings(config, limit.max_connections, static_cast<std::uint32_t>(worker_count_),
                       splice_settings_for(config));
}

SpliceSettings Service::splice_settings_for(const Config& config) const noexcept {
  return splice_settings(config, open_files_, worker_count_);
}

// Echoes stay correct, but are slow, which is not obvious from a key about memory.
void Service::warn_about_buffers(const EchoSettings& settings) noexcept {
  if (settings.buffer_bytes < settings.block_bytes) {
    logs_.notices().warn(
        "buffers.total_mib leaves {} KiB to each of {} workers, less than one reply buffer of {} "
        "KiB: connections are served without reply buffers, slowly; raise buffers.total_mib, or "
        "lower workers",
        settings.buffer_bytes / 1024, worker_count_, settings.block_bytes / 1024);
  }
}

void Service::listen(std::vector<PassedSocket> passed) {
  if (!passed.empty()) {
    for (sys::ListenSocket& socket : adopt_passed_sockets(std::move(passed), config_)) {
      listeners_.push_back(std::make_shared<const sys::ListenSocket>(std::move(socket)));
      workers_.listen(listeners_.back());
    }
    return;
  }
  for (const ListenConfig& wanted : config_.listen) {
    try {
      listeners_.push_back(std::make_shared<const sys::ListenSocket>(
          sys::open_listener(wanted.address, wanted.backlog, wanted.v6only, config_.socket)));
      workers_.listen(listeners_.back());
    } catch (const std::system_error& error) {
      throw listen_error(wanted.address, error);
    }
  }
}

void Service::announce_start() {
  spdlog::logger& notices = logs_.notices();
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const int backlog = config_.listen[i].backlog;
    notices.info("listening on {}, backlog {}{}", listeners_[i]->address.text(), backlog,
                 ipv4_only_note(*listeners_[i]));
    const int granted = sys::granted_backlog(listeners_[i]->fd.get());
    if (granted > 0 && granted < backlog) {
      notices.warn("the kernel cuts the backlog of {} from {} to {}; raise net.core.somaxconn",
                   listeners_[i]->address.text(), backlog, granted);
    }
  }
  announce_limits();
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

void Service::announce_limits() noexcept {
  logs_.notices().info(
      "limits: {} connections, {} open files, reply buffers of {} KiB, {} MiB in all; {} worker{}",
      limit_.max_connections, open_files_.soft, config_.buffers.per_connection_kib,
      config_.buffers.total_mib, worker_count_, worker_count_ == 1 ? "" : "s");
  const SpliceSettings splice = splice_settings_for(config_);
  if (splice.pipes > 0) {
    logs_.notices().info("splice: at most {} pipes of {} KiB, for reads of {} KiB and more",
                         worker_count_ * splice.pipes, splice.pipe_bytes / 1024,
                         splice.least_bytes / 1024);
  } else if (config_.buffers.splice) {
    logs_.notices().warn(
        "buffers.splice has no effect: it needs 64 KiB or more in buffers.per_connection_kib and "
        "in turn.bytes_kib, and for each worker 1.25 MiB of buffers.total_mib and 64 open files");
  }
  warn_about_buffers(settings_for(config_, limit_));
}

void Service::on_signal(int signal) noexcept {
  try {
    handle_signal(signal);
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to handle {}; send it again", signal_name(signal));
  }
}

void Service::handle_signal(int signal) {
  switch (signal) {
    case SIGHUP:
      if (terminal_.has_hung_up(signals_.info())) {
        stop("the terminal was closed");
      } else {
        reload_requester_ = requester_of(signals_.info());
        reload();
      }
      break;
    case SIGUSR1:
      logs_.reopen();
      break;
    case SIGUSR2:
      logs_.notices().info(counters_line());
      break;
    default:
      stop(signal_name(signal));
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
  manager_.stopping();
  manager_.extend_timeout(kStopExtension);
  logs_.notices().info("stopping: {}, draining for at most {} s", cause,
                       std::chrono::duration<double>(deadline).count());
  listeners_.clear();  // The workers share them; each is closed once its accept queue is empty.
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
    manager_.status(status_line());
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
    manager_.ready(status_line());
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
                           workers_.running(), worker_count_);
  log_totals();
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
void Service::reload() noexcept {
  manager_.reloading();
  try {
    logs_.reopen();
  } catch (const std::bad_alloc&) {
    logs_.notices().error("not enough memory to reopen the log file; send SIGUSR1 to try again");
  }
  loader_.load();
}

// Runs in the loader's thread. If the default file exists now, later reloads require it, as after a
// start.
Config Service::load() {
  next_options_ = options_;
  next_options_.config_file = config_file_in_use(options_);
  return effective_config(next_options_);
}

void Service::on_loaded(LoadedConfig loaded) noexcept {
  const std::uint64_t reloads = reloads_;
  try {
    if (loaded.config) {
      apply(*loaded.config);
    } else {
      refuse_reload(std::move(loaded.errors));
    }
  } catch (const std::bad_alloc&) {
    refuse_reload({});
  }
  notify_ready();  // Also after a refused reload: sd_notify(3) has no message for that.
  // A pending load answers instead: it reads the file as it was when the request came, or later.
  if (!loader_.is_next_load_pending()) {
    answer_reload(std::exchange(reload_requester_, 0), reloads_ > reloads);
  }
}

// Applies all of `wanted`, or nothing if it throws std::bad_alloc.
void Service::apply(const Config& wanted) {
  const std::string restart_keys = list(keys_needing_restart(config_, wanted));
  const std::string name = config_name(next_options_);
  Config next = reloaded(config_, wanted);
  ConnectionLimit limit = limit_for(next);
  const EchoSettings settings = settings_for(next, limit);
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
  ++reloads_;
  reload_error_.clear();
  logs_.notices().info("reload: applied, configuration: {}", name);
  if (has_new_limits) {
    announce_limits();
  }
  if (has_new_warning) {
    logs_.notices().warn("{}", limit_.warning);
  }
  if (!restart_keys.empty()) {
    logs_.notices().warn("reload: takes effect only after a restart: {}", restart_keys);
  }
}

// No errors: there was not enough memory.
void Service::refuse_reload(std::vector<std::string> errors) noexcept {
  for (const std::string& line : errors) {
    logs_.notices().error("{}", line);
  }
  ++reloads_refused_;
  if (errors.empty()) {
    reload_error_ = "out of memory";  // Short enough not to allocate.
    logs_.notices().error("not enough memory to reload the configuration");
  } else {
    reload_error_ = std::move(errors.front());
  }
  logs_.notices().error("reload: refused, the running configuration is kept");
}

std::string Service::status_line() const {
  const auto counters = workers_.counters();
  const auto count = [&counters](Counter counter) {
    return std::to_string(counters.at(static_cast<std::size_t>(counter)));
  };
  return (is_stopping_ ? "draining, " : "") + std::to_string(open_connections(counters)) +
         " connections; " + count(Counter::accepted) + " accepted, " + count(Counter::echoes) +
         " echoes, " + count(Counter::bytes_received) + " bytes received, " +
         count(Counter::bytes_sent) + " sent" +
         (reload_error_.empty() ? "" : "; the last reload was refused: " + reload_error_);
}

// Allocates nothing, so that the counters can be logged when memory runs out.
std::string_view Service::counters_line() noexcept {
  const auto values = workers_.counters();
  counters_line_ = "counters:";
  const auto append = [&line = counters_line_](std::string_view name, std::uint64_t value) {
    const fmt::format_int digits(value);
    line.append(" ").append(name).append("=").append(digits.data(), digits.size());
  };
  for (std::size_t i = 0; i < kCounters; ++i) {
    append(name_of(static_cast<Counter>(i)), values.at(i));
  }
  append("stale_events", workers_.stale_events());
  append("log_lines_dropped", logs_.dropped_lines());
  append("log_write_failures", logs_.write_failures());
  append("reloads", reloads_);
  append("reloads_refused", reloads_refused_);
  append("connections", open_connections(values));
  append("buffered_bytes", workers_.buffered_bytes());
  append("workers", workers_.size());
  append("connections_of_fullest_worker", workers_.most_connections());
  append("worker_stalls", worker_watch_.stalls());
  return counters_line_;
}

void Service::log_dropped_lines() noexcept {
  const std::uint64_t dropped = logs_.dropped_lines();
  if (dropped > reported_dropped_lines_) {
    logs_.notices().warn(
        "{} log lines were dropped: they came faster than they could be written; "
        "raise log.queue_lines or lower the log level",
        dropped - reported_dropped_lines_);
    reported_dropped_lines_ = dropped;
  }
  dropped_lines_timer_.expire_at(loop_.now() + kDroppedLinesInterval);
}

}  // namespace echod
