#include "service/reloads.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <new>
#include <utility>

#include "config/config_file.hpp"
#include "config/config_keys.hpp"
#include "config/toml_value.hpp"
#include "service/config_source.hpp"
#include "service/reload_request.hpp"
#include "sys/process_usage.hpp"

namespace echod {

namespace {

// Runs in the loader's thread.
std::string change_of(const ProgramFile& program, ReloadMode mode) {
  return mode == ReloadMode::forced ? "an operator requested it" : program.change();
}

// Why a reload needs an upgrade; empty if it does not.
std::string upgrade_cause(const Config& running, const LoadedConfig& loaded) {
  if (!loaded.program_change.empty()) {
    return loaded.program_change;
  }
  const auto keys =
      loaded.config ? keys_needing_upgrade(running, *loaded.config) : std::vector<std::string>();
  return keys.empty() ? "" : joined(keys) + (keys.size() == 1 ? " has changed" : " have changed");
}

}  // namespace

Reloads::Reloads(const Context& context, Hooks hooks)
    : context_(context),
      hooks_(std::move(hooks)),
      upgrade_(
          context.loop, context.workers, context.program,
          {.describe = [this] { return describe(); },
           .before_exec = [this] { before_exec(); },
           .on_failed = [this](Upgrade::Result result,
                               std::string why) { on_upgrade_failed(result, std::move(why)); }}),
      loader_(
          context.loop, [this](ReloadMode mode) { return change_of(context_.program, mode); },
          [this] { return load(); },
          [this](LoadedConfig loaded) { on_loaded(std::move(loaded)); }) {}

void Reloads::request(ReloadMode mode) noexcept {
  context_.manager.reloading();
  try {
    context_.logs.reopen();
  } catch (const std::bad_alloc&) {
    context_.logs.notices().error(
        "not enough memory to reopen the log file; send SIGUSR1 to try again");
  }
  if (upgrade_.is_in_progress() || is_taking_over_) {
    pending_ = merged(pending_, mode);
  } else {
    loader_.load(mode);
  }
  context_.admin.set_reloading(true);
}

void Reloads::request(const signalfd_siginfo& hangup) noexcept {
  if (const pid_t requester = requester_of(hangup); requester != 0) {
    requester_ = requester;
  }
  request(ReloadMode::as_needed);
}

void Reloads::stop() noexcept {
  is_stopping_ = true;
  upgrade_.cancel();
  pending_.reset();
  context_.admin.set_reloading(is_in_progress());
}

bool Reloads::is_in_progress() const noexcept {
  return is_taking_over_ || pending_ || loader_.is_loading() || loader_.is_next_load_pending() ||
         upgrade_.is_in_progress();
}

// Runs in the loader's thread. If the default file exists now, later reloads require it, as after a
// start.
Config Reloads::load() {
  const CommandLine& options = context_.running.options;
  next_options_ = options;
  next_options_.config_file = config_file_in_use(options);
  return effective_config(next_options_);
}

void Reloads::on_loaded(LoadedConfig loaded) noexcept {
  if (upgrade_.is_in_progress()) {
    pending_ = merged(pending_, loaded.mode);
    return;
  }
  const std::uint64_t applied = context_.figures.applied;
  try {
    const std::string cause = upgrade_cause(context_.running.config, loaded);
    if (!cause.empty() && !is_stopping_) {
      context_.logs.notices().info("upgrading in place because {}; checking {}", cause,
                                   context_.program.path());
      upgrade_.begin();
      return;
    }
    if (!cause.empty()) {
      refuse({"upgrade: " + cause + ", but echod is stopping: not upgraded"});
    } else if (loaded.config) {
      apply(*loaded.config);
    } else {
      refuse(std::move(loaded.errors));
    }
  } catch (const std::bad_alloc&) {
    refuse({});
  }
  hooks_.on_ended();
  // A pending load answers instead: it reads the file as it was when the request came, or later.
  if (!loader_.is_next_load_pending()) {
    answer_reload(std::exchange(requester_, 0), context_.figures.applied > applied);
  }
}

// Applies all of `wanted`, or nothing if it throws std::bad_alloc.
void Reloads::apply(const Config& wanted) {
  RunningConfig& running = context_.running;
  const std::string name = config_name(next_options_);
  Config next = reloaded(running.config, wanted);
  ConnectionLimit limit = context_.capacity.limit_for(next);
  const EchoSettings settings = context_.capacity.settings_for(next, limit);
  context_.logs.apply(next.log);  // The last call that may throw; then nothing has changed.
  context_.workers.apply(settings);
  // Whether there are pipes also depends on turn.bytes_kib.
  const bool has_new_limits = limit.max_connections != running.limit.max_connections ||
                              next.buffers != running.config.buffers ||
                              next.turn.bytes_kib != running.config.turn.bytes_kib;
  const bool has_new_warning = !limit.warning.empty() && limit.warning != running.limit.warning;
  running = {std::move(next_options_), std::move(next), std::move(limit)};
  ++context_.figures.applied;
  context_.figures.loaded_at = sys::unix_seconds();
  context_.figures.last_error.clear();
  spdlog::logger& notices = context_.logs.notices();
  notices.info("reload: applied, configuration: {}", name);
  if (has_new_limits) {
    context_.capacity.announce(running.config, running.limit, notices);
  }
  if (has_new_warning) {
    notices.warn("{}", running.limit.warning);
  }
}

// No errors: there was not enough memory.
void Reloads::refuse(std::vector<std::string> errors) noexcept {
  spdlog::logger& notices = context_.logs.notices();
  for (const std::string& line : errors) {
    notices.error("{}", line);
  }
  ++context_.figures.refused;
  if (errors.empty()) {
    context_.figures.last_error = "out of memory";  // Short enough not to allocate.
    notices.error("not enough memory to reload the configuration");
  } else {
    context_.figures.last_error = std::move(errors.front());
  }
  notices.error("reload: refused, the running configuration is kept");
}

// Holds the requests of operators while the workers park: one that came after the state was
// written would be lost.
ServiceState Reloads::describe() {
  if (upgrade_.is_parking()) {
    context_.admin.hold_requests();
  }
  std::optional<ReloadMode> next = pending_;
  if (const auto requested = context_.admin.requested_reload()) {
    next = merged(next, *requested);
  }
  ServiceState state = hooks_.describe();
  state.reload_requester = requester_;
  const ReloadFigures& figures = context_.figures;
  state.counts.insert(state.counts.end(),
                      {{"reloads", figures.applied},
                       {"reloads_refused", figures.refused},
                       {"upgrades_done", figures.upgrades.done},
                       {"upgrades_refused", figures.upgrades.refused},
                       {"upgrades_failed", figures.upgrades.failed},
                       {"reload_pending", next ? 1U : 0U},
                       {"forced_reload_pending", next == ReloadMode::forced ? 1U : 0U}});
  return state;
}

void Reloads::restore(const ServiceState& earlier) {
  const auto& counts = earlier.counts;
  is_taking_over_ = true;
  requester_ = earlier.reload_requester;
  context_.figures.applied = count_of(counts, "reloads") + 1;
  context_.figures.refused = count_of(counts, "reloads_refused");
  context_.figures.upgrades = {.done = count_of(counts, "upgrades_done") + 1,
                               .refused = count_of(counts, "upgrades_refused"),
                               .failed = count_of(counts, "upgrades_failed")};
  if (count_of(counts, "forced_reload_pending") > 0) {
    pending_ = ReloadMode::forced;
  } else if (count_of(counts, "reload_pending") > 0) {
    pending_ = ReloadMode::as_needed;
  }
}

void Reloads::on_restored() noexcept {
  is_taking_over_ = false;
  end_upgrade(true);
}

void Reloads::before_exec() noexcept {
  constexpr std::chrono::milliseconds kLogTime{200};
  context_.manager.alive();
  context_.logs.write_queued(kLogTime);
}

void Reloads::on_upgrade_failed(Upgrade::Result result, std::string why) noexcept {
  context_.admin.accept_requests();
  UpgradeFigures& upgrades = context_.figures.upgrades;
  ++(result == Upgrade::Result::refused ? upgrades.refused : upgrades.failed);
  try {
    std::vector<std::string> errors;
    if (!why.empty()) {
      errors.push_back("upgrade: " + why);
    }
    refuse(std::move(errors));
  } catch (const std::bad_alloc&) {
    refuse({});
  }
  upgrades.last_error = why.empty() ? "out of memory" : std::move(why);
  hooks_.on_ended();
  end_upgrade(false);
}

// Answers, or starts the reload that was requested meanwhile, which answers instead.
void Reloads::end_upgrade(bool is_done) noexcept {
  if (const auto next = std::exchange(pending_, std::nullopt)) {
    loader_.load(*next);
  } else {
    answer_reload(std::exchange(requester_, 0), is_done);
  }
  context_.admin.set_reloading(is_in_progress());
}

}  // namespace echod
