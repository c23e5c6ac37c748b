// What the admin thread sees of the service, and what it may request.
//
// Thread-safety: the admin thread calls everything. Reading takes a lock briefly; log() may also
// read the time zone from the disk. The three requests block while an upgrade replaces the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "admin/snapshot.hpp"
#include "config/config.hpp"
#include "config/reload_mode.hpp"

namespace echod {

// Levels to set; those that are not given stay.
struct LogLevels {
  std::optional<LogLevel> file;
  std::optional<LogLevel> stderr_level;

  bool operator==(const LogLevels&) const noexcept = default;
};

class ServiceAccess {
 public:
  ServiceAccess() noexcept = default;
  ServiceAccess(const ServiceAccess&) = delete;
  ServiceAccess& operator=(const ServiceAccess&) = delete;
  virtual ~ServiceAccess() = default;

  // These three read atomics.
  [[nodiscard]] virtual Phase phase() const noexcept = 0;
  [[nodiscard]] virtual bool is_stuck(std::size_t worker) const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t worker_stalls() const noexcept = 0;
  // These two throw std::bad_alloc. They include requests that are not carried out yet: log() has
  // the levels that were requested last, and facts() says that a reload is in progress.
  [[nodiscard]] virtual ServiceFacts facts() const = 0;
  [[nodiscard]] virtual LogSnapshot log() const = 0;

  // Logs a problem of the admin sockets. `error` is an errno.
  virtual void report(std::string_view problem, int error) noexcept = 0;
  // Requests. The service's thread carries them out soon after. They block from the moment when an
  // upgrade writes the state. If the upgrade fails, the calls continue. If it succeeds, the program
  // is replaced while this thread waits, so the operator gets no answer.
  virtual void set_log_levels(const LogLevels& levels) noexcept = 0;
  virtual void drain() noexcept = 0;
  // What SIGHUP starts.
  virtual void reload(ReloadMode mode) noexcept = 0;
};

}  // namespace echod
