// Reads the configuration in a thread of its own: a disk may take any time, and the main thread
// waits for none.
//
//   idle --load()--> loading --the thread has read it--> idle, on_loaded()
//                    loading --load()--> loading, and once more after on_loaded()
//
// Thread-safety: one thread, the loop's.
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

// A configuration, or what is wrong with it. Neither: there was not enough memory.
struct LoadedConfig {
  std::optional<Config> config;
  std::vector<std::string> errors;
};

class ConfigLoader {
 public:
  // `read` is called in the other thread and may throw; `on_loaded` is called in the loop's thread.
  // Throws std::bad_alloc.
  ConfigLoader(EventLoop& loop, std::function<Config()> read,
               std::function<void(LoadedConfig)> on_loaded);
  // Waits for a load that is going on.
  ~ConfigLoader();
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // Starts to load; `on_loaded` is called later, also if no thread can be started. While a load is
  // going on, one more follows it, however often this is called.
  void load() noexcept;
  // While this is true, a process that must not wait ends without destructors.
  [[nodiscard]] bool is_loading() const noexcept { return is_loading_; }
  // Within on_loaded(): whether one more load follows.
  [[nodiscard]] bool is_another_wanted() const noexcept { return is_wanted_again_; }

 private:
  void on_read() noexcept;

  const std::function<Config()> read_;
  const std::function<void(LoadedConfig)> on_loaded_;
  LoadedConfig result_;  // Belongs to the thread while there is one.
  bool is_loading_ = false;
  bool is_wanted_again_ = false;
  Notifier on_read_;
  std::thread thread_;
};

}  // namespace echod
