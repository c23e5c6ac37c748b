// Runs one task at a time in a separate thread, so that a slow disk or a child process does not
// block the main thread.
//
// Thread-safety: all members must be called from the loop's thread.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "loop/notifier.hpp"

namespace echod {

class EventLoop;

class BackgroundTask {
 public:
  // `thread_name`: at most 15 bytes. `on_done` runs in the loop's thread after each task. Throws
  // std::bad_alloc.
  BackgroundTask(EventLoop& loop, std::string thread_name, std::function<void()> on_done);
  // Waits for a running task.
  ~BackgroundTask();
  BackgroundTask(const BackgroundTask&) = delete;
  BackgroundTask& operator=(const BackgroundTask&) = delete;

  // Starts `task`, which must not throw. No task may be running. Throws std::system_error or
  // std::bad_alloc if there is no thread; then `on_done` is not called. Does not block.
  void start(std::function<void()> task);
  // While true, the destructor blocks: a process that must exit now has to skip destructors.
  [[nodiscard]] bool is_running() const noexcept { return thread_.joinable(); }

 private:
  const std::string thread_name_;
  const std::function<void()> on_done_;
  Notifier done_;
  std::thread thread_;
};

}  // namespace echod
