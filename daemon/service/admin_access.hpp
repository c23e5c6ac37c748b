// What the admin thread sees of the service and may order: the service publishes, the admin thread
// reads.
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
  struct Orders {
    std::function<void(const LogLevels&)> on_log_levels;
    std::function<void()> on_drain;
    std::function<void(ReloadMode)> on_reload;
  };

  // The references must outlive it. Throws std::bad_alloc.
  AdminAccess(EventLoop& loop, const Logs& logs, const WorkerWatch& workers, Orders orders);

  // Service.
  void set_phase(Phase phase) noexcept { phase_.store(phase); }
  void publish(ServiceFacts facts) noexcept;
  // Whether a reload is in progress, whatever started it.
  void set_reloading(bool is_reloading) noexcept;
  // hold_orders() makes the admin thread block in its next order, until accept_orders(). So no
  // order is lost between the two functions below and an exec: they return the orders that came
  // before and are not carried out yet, and the next program carries them out. No-ops if called
  // again.
  void hold_orders() noexcept;
  void accept_orders() noexcept;
  [[nodiscard]] bool is_drain_ordered() const noexcept { return must_drain_.load(); }
  [[nodiscard]] std::optional<ReloadMode> ordered_reload() const noexcept;

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
  void carry_out_orders() noexcept;

  const Logs& logs_;
  const WorkerWatch& workers_;
  const Orders orders_;
  std::atomic<Phase> phase_{Phase::starting};
  std::atomic<bool> must_drain_{false};
  std::mutex orders_mutex_;  // Held by each order and by hold_orders(). Lock it before mutex_.
  std::unique_lock<std::mutex> hold_{orders_mutex_, std::defer_lock};  // Service.
  mutable std::mutex mutex_;                                           // Guards the four below.
  ServiceFacts facts_;
  LogLevels wanted_levels_;
  std::optional<ReloadMode> wanted_reload_;
  bool is_reloading_ = false;
  Notifier on_orders_;
};

}  // namespace echod
