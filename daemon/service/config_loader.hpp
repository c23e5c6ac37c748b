// Reads the configuration in a separate thread, so that a slow disk does not block the main thread.
//
//   idle --load()--> loading --the thread has finished--> idle, on_loaded()
//                    loading --load()--> loading, and one more load after on_loaded()
//
// Thread-safety: all members must be called from the loop's thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/config.hpp"
#include "loop/notifier.hpp"

namespace echod {

class EventLoop;

// A configuration, or its errors. Both are empty if there was not enough memory.
struct LoadedConfig {
  std::optional<Config> config;
  std::vector<std::string> errors;
};

class ConfigLoader {
 public:
  // `read` runs in the separate thread and may throw; `on_loaded` runs in the loop's thread.
  // Throws std::bad_alloc.
  ConfigLoader(EventLoop& loop, std::function<Config()> read,
               std::function<void(LoadedConfig)> on_loaded);
  // Waits for a running load to finish.
  ~ConfigLoader();
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // Starts a load; `on_loaded` is called later, with an error if the thread cannot be started.
  // If a load is running, exactly one more load follows it, however often this is called.
  // Does not block.
  void load() noexcept;
  // While true, the destructor blocks: a process that must exit now has to skip destructors.
  [[nodiscard]] bool is_loading() const noexcept { return is_loading_; }
  // In on_loaded(): whether load() was called meanwhile, so that another load follows.
  [[nodiscard]] bool is_next_load_pending() const noexcept { return is_next_load_pending_; }

 private:
  void on_read() noexcept;

  const std::function<Config()> read_;
  const std::function<void(LoadedConfig)> on_loaded_;
  LoadedConfig result_;  // Owned by the thread while it runs.
  bool is_loading_ = false;
  bool is_next_load_pending_ = false;
  Notifier on_read_;
  std::thread thread_;
};

}  // namespace echod
