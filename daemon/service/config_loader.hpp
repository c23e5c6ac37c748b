// Reads the configuration in a thread of its own: a disk may take any time, and the main thread
// waits for none.
//
//   idle --load()--> loading --the thread has a result--> idle, on_loaded()
//                    loading --load()--> loading, and once more when this one is done
//
// Thread-safety: one thread, the loop's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config.hpp"
#include "notifier.hpp"

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
  // Throws std::system_error.
  ConfigLoader(EventLoop& loop, std::function<Config()> read,
               std::function<void(LoadedConfig)> on_loaded);
  // Waits for a load that is going on; see finish().
  ~ConfigLoader();
  ConfigLoader(const ConfigLoader&) = delete;
  ConfigLoader& operator=(const ConfigLoader&) = delete;

  // Starts to load; `on_loaded` is called later, also if no thread can be started. While a load is
  // going on, another follows it, and only the result of that one is told.
  void load() noexcept;
  // Waits for a load that is going on, at most so long. False: it has not ended, and the process
  // should end without destructors.
  [[nodiscard]] bool finish(std::chrono::milliseconds patience) noexcept;

 private:
  void run() noexcept;
  void end(LoadedConfig result) noexcept;
  void tell_result() noexcept;

  const std::function<Config()> read_;
  const std::function<void(LoadedConfig)> on_loaded_;
  Notifier notifier_;
  std::mutex mutex_;  // Guards the members down to `result_`.
  std::condition_variable done_;
  bool is_loading_ = false;
  bool is_wanted_again_ = false;
  std::optional<LoadedConfig> result_;  // Until it is told.
  std::thread thread_;
};

}  // namespace echod
