// Carries out reloads. A reload applies a changed configuration in this process, or by an upgrade
// in place if a key or the program needs that (upgrade.hpp). It applies everything or changes
// nothing.
//
//   idle --request()--> loading --no upgrade needed--> applied or refused --> idle
//                       loading --upgrade needed--> upgrading --failed--> refused --> idle
//                                                   upgrading --execve(2)--> the new program
//
// A request while another reload is in progress starts one more reload after it.
//
// Thread-safety: all members must be called from the loop's thread, the main thread. Only an
// upgrade's last step may block (upgrade.hpp).
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/reload_mode.hpp"
#include "service/admin_access.hpp"
#include "service/capacity.hpp"
#include "service/config_loader.hpp"
#include "service/logs.hpp"
#include "service/reports.hpp"
#include "service/running_config.hpp"
#include "service/service_manager.hpp"
#include "service/upgrade.hpp"
#include "upgrade/program_file.hpp"
#include "upgrade/state.hpp"

namespace echod {

class Reloads {
 public:
  // The objects that it uses. They must outlive it.
  struct Context {
    EventLoop& loop;
    const ProgramFile& program;
    const Capacity& capacity;
    RunningConfig& running;
    Workers& workers;
    Logs& logs;
    ServiceManager& manager;
    AdminAccess& admin;
    ReloadFigures& figures;
  };
  struct Hooks {
    // Describes the service for the next program, without reloads and workers. May throw.
    std::function<ServiceState()> describe;
    // A reload was applied or refused. Must not throw.
    std::function<void()> on_ended;
  };

  // Throws std::bad_alloc, std::system_error.
  Reloads(const Context& context, Hooks hooks);

  // Starts a reload. Reopens the log file first, so that a rotation works even if the configuration
  // is invalid or its disk does not respond.
  void request(ReloadMode mode) noexcept;
  // The same for a SIGHUP, whose sender may wait for an answer (reload_request.hpp).
  void request(const signalfd_siginfo& hangup) noexcept;
  // The service stops: an upgrade is cancelled, and no other reload follows.
  void stop() noexcept;
  [[nodiscard]] bool is_in_progress() const noexcept;
  // After stop(): whether a child process is still to be killed.
  [[nodiscard]] bool is_cancelling() const noexcept { return upgrade_.is_cancelling(); }

  // Continues the upgrade that an earlier program began. Call it before the workers start.
  void restore(const ServiceState& earlier);
  // That upgrade has ended: the workers serve.
  void on_restored() noexcept;

  // One of the workers is parked. Any thread.
  void on_worker_parked() noexcept { upgrade_.on_worker_parked(); }
  // While true, the destructor blocks: a process that must exit now has to skip destructors.
  [[nodiscard]] bool has_running_thread() const noexcept {
    return loader_.is_loading() || upgrade_.is_checking();
  }

 private:
  [[nodiscard]] Config load();
  void on_loaded(LoadedConfig loaded) noexcept;
  void apply(const Config& wanted);
  void refuse(std::vector<std::string> errors) noexcept;
  [[nodiscard]] ServiceState describe();
  void before_exec() noexcept;
  void on_upgrade_failed(Upgrade::Result result, std::string why) noexcept;
  void end_upgrade(bool is_done) noexcept;

  const Context context_;
  const Hooks hooks_;
  CommandLine next_options_;  // For the next reload. Owned by the loader's thread while it loads.
  bool is_taking_over_ = false;
  bool is_stopping_ = false;
  std::optional<ReloadMode> pending_;  // Was requested during an upgrade, and follows it.
  pid_t requester_ = 0;                // Waits for an answer; 0: nobody does.
  Upgrade upgrade_;
  ConfigLoader loader_;
};

}  // namespace echod
