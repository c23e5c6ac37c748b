// Reads the configuration in a separate thread, so that a slow disk does not block the main thread.
// Looks first whether the program itself has changed.
//
//   idle --load()--> loading --the thread has finished--> idle, on_loaded()
//                    loading --load()--> loading, and one more load after on_loaded()
//
// Thread-safety: all members must be called from the loop's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/reload_mode.hpp"
#include "loop/notifier.hpp"
#include "service/background_task.hpp"

namespace echod {

class EventLoop;

// The result of a load. One of program_change, config and errors is set; none if memory ran out.
struct LoadedConfig {
  ReloadMode mode = ReloadMode::as_needed;
  // What has changed in the program. If it is set, the configuration was not read: only the new
  // program can read it.
  std::string program_change{};
  std::optional<Config> config{};
  std::vector<std::string> errors{};
};

class ConfigLoader {
 public:
  // `program_change` and `read` run in the separate thread and may throw; `on_loaded` runs in
  // the loop's thread. If `program_change` returns a cause, the configuration is not read. Throws
  // std::bad_alloc.
  ConfigLoader(EventLoop& loop, std::function<std::string(ReloadMode)> program_change,
               std::function<Config()> read, std::function<void(LoadedConfig)> on_loaded);

  // Starts a load; `on_loaded` is called later, with an error if the thread cannot be started.
  // If a load is running, exactly one more load follows it, however often this is called; it is
  // forced if any of these calls wants that. Does not block.
  void load(ReloadMode mode = ReloadMode::as_needed) noexcept;
  // While true, the destructor blocks: a process that must exit now has to skip destructors.
  [[nodiscard]] bool is_loading() const noexcept { return is_loading_; }
  // In on_loaded(): whether load() was called meanwhile, so that another load follows.
  [[nodiscard]] bool is_next_load_pending() const noexcept { return next_load_.has_value(); }

 private:
  void on_read() noexcept;

  const std::function<std::string(ReloadMode)> program_change_;
  const std::function<Config()> read_;
  const std::function<void(LoadedConfig)> on_loaded_;
  LoadedConfig result_;  // Owned by the thread while it runs.
  bool is_loading_ = false;
  ReloadMode mode_ = ReloadMode::as_needed;  // Of the load that is running.
  std::optional<ReloadMode> next_load_;
  Notifier on_not_started_;
  BackgroundTask task_;
};

}  // namespace echod
