// The service publishes values here. The admin thread reads them and sends requests back.
//
// Thread-safety: as service_access.hpp says, except the functions marked "Service".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

#include "admin/service_access.hpp"
#include "loop/event_loop.hpp"
#include "loop/notifier.hpp"
#include "service/logs.hpp"
#include "service/worker_watch.hpp"

namespace echod {

class AdminAccess final : public ServiceAccess {
 public:
  // Run in the loop's thread, the service's.
  struct Hooks {
    std::function<void(const LogLevels&)> on_log_levels;
    std::function<void()> on_drain;
    std::function<void(ReloadMode)> on_reload;
  };

  // The references must outlive it. Throws std::bad_alloc.
  AdminAccess(EventLoop& loop, const Logs& logs, const WorkerWatch& workers, Hooks hooks);

  // Service.
  void set_phase(Phase phase) noexcept { phase_.store(phase); }
  void publish(ServiceFacts facts) noexcept;
  // Whether a reload is in progress, whatever started it.
  void set_reloading(bool is_reloading) noexcept;
  // After hold_requests(), the admin thread blocks at its next request until accept_requests().
  // Call hold_requests() before the state is written: the state has the requests that
  // is_drain_requested() and requested_reload() return, and a later request would be lost. Both
  // functions are no-ops if called again.
  void hold_requests() noexcept;
  void accept_requests() noexcept;
  [[nodiscard]] bool is_drain_requested() const noexcept { return must_drain_.load(); }
  [[nodiscard]] std::optional<ReloadMode> requested_reload() const noexcept;

  [[nodiscard]] Phase phase() const noexcept override { return phase_.load(); }
  [[nodiscard]] bool is_stuck(std::size_t worker) const noexcept override {
    return workers_.is_stuck(worker);
  }
  [[nodiscard]] std::uint64_t worker_stalls() const noexcept override { return workers_.stalls(); }
  [[nodiscard]] ServiceFacts facts() const override;
  [[nodiscard]] LogSnapshot log() const override;
  void report(std::string_view problem, int error) noexcept override;
  void set_log_levels(const LogLevels& levels) noexcept override;
  void drain() noexcept override;
  void reload(ReloadMode mode) noexcept override;

 private:
  void carry_out_requests() noexcept;

  const Logs& logs_;
  const WorkerWatch& workers_;
  const Hooks hooks_;
  std::atomic<Phase> phase_{Phase::starting};
  std::atomic<bool> must_drain_{false};
  // Held by each request and by hold_requests(). Lock it before mutex_.
  std::mutex requests_mutex_;
  std::unique_lock<std::mutex> hold_{requests_mutex_, std::defer_lock};  // Service.
  mutable std::mutex mutex_;                                             // Guards the four below.
  ServiceFacts facts_;
  LogLevels wanted_levels_;
  std::optional<ReloadMode> wanted_reload_;
  bool is_reloading_ = false;
  Notifier on_requests_;
};

}  // namespace echod
