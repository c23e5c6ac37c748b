#include "service/admin_access.hpp"

#include <spdlog/logger.h>

#include <string>
#include <utility>
#include <vector>

#include "config/key_type.hpp"
#include "sys/io_result.hpp"

namespace echod {

AdminAccess::AdminAccess(EventLoop& loop, const Logs& logs, const WorkerWatch& workers, Hooks hooks)
    : logs_(logs),
      workers_(workers),
      hooks_(std::move(hooks)),
      on_requests_(loop, [this] { carry_out_requests(); }) {}

void AdminAccess::publish(ServiceFacts facts) noexcept {
  const std::scoped_lock lock(mutex_);
  std::swap(facts_, facts);
}

void AdminAccess::set_reloading(bool is_reloading) noexcept {
  const std::scoped_lock lock(mutex_);
  is_reloading_ = is_reloading;
}

void AdminAccess::hold_requests() noexcept {
  if (!hold_.owns_lock()) {
    hold_.lock();
  }
}

void AdminAccess::accept_requests() noexcept {
  if (hold_.owns_lock()) {
    hold_.unlock();
  }
}

std::optional<ReloadMode> AdminAccess::requested_reload() const noexcept {
  const std::scoped_lock lock(mutex_);
  return wanted_reload_;
}

ServiceFacts AdminAccess::facts() const {
  const std::scoped_lock lock(mutex_);
  ServiceFacts facts = facts_;
  facts.is_reload_in_progress = is_reloading_ || wanted_reload_.has_value();
  return facts;
}

// Levels that were requested count as set, so that the operator sees them. The lock is held while
// the levels are read: a request is removed only when they are set. The lines are formatted before,
// because that may wait for the disk.
LogSnapshot AdminAccess::log() const {
  std::vector<std::string> trouble = logs_.trouble();
  const std::scoped_lock lock(mutex_);
  LogSnapshot log = logs_.figures();
  log.trouble = std::move(trouble);
  if (wanted_levels_.file) {
    log.file_level = level_name(*wanted_levels_.file);
  }
  if (wanted_levels_.stderr_level) {
    log.stderr_level = level_name(*wanted_levels_.stderr_level);
  }
  return log;
}

void AdminAccess::report(std::string_view problem, int error) noexcept {
  logs_.notices().warn("{}: {}", problem, sys::error_text(error));
}

void AdminAccess::set_log_levels(const LogLevels& levels) noexcept {
  const std::scoped_lock request(requests_mutex_);
  {
    const std::scoped_lock lock(mutex_);
    wanted_levels_.file = levels.file ? levels.file : wanted_levels_.file;
    wanted_levels_.stderr_level =
        levels.stderr_level ? levels.stderr_level : wanted_levels_.stderr_level;
  }
  on_requests_.notify();
}

void AdminAccess::drain() noexcept {
  const std::scoped_lock request(requests_mutex_);
  must_drain_.store(true);
  on_requests_.notify();
}

void AdminAccess::reload(ReloadMode mode) noexcept {
  const std::scoped_lock request(requests_mutex_);
  {
    const std::scoped_lock lock(mutex_);
    wanted_reload_ = merged(wanted_reload_, mode);
  }
  on_requests_.notify();
}

void AdminAccess::carry_out_requests() noexcept {
  LogLevels levels;
  std::optional<ReloadMode> reload;
  {
    const std::scoped_lock lock(mutex_);
    levels = wanted_levels_;
    reload = std::exchange(wanted_reload_, std::nullopt);
    is_reloading_ = is_reloading_ || reload.has_value();
  }
  if (levels.file || levels.stderr_level) {
    hooks_.on_log_levels(levels);
    const std::scoped_lock lock(mutex_);
    if (wanted_levels_ == levels) {
      wanted_levels_ = {};
    }  // Else there is a later request, and another notification.
  }
  if (must_drain_.exchange(false)) {
    hooks_.on_drain();
  }
  if (reload) {
    hooks_.on_reload(*reload);
  }
}

}  // namespace echod
