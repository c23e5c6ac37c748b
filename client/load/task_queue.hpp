// Runs tasks from other threads in the thread of an event loop.
//
// Thread-safety: post() may be called from any thread, everything else only from the loop's thread.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "loop/notifier.hpp"

namespace echod::client {

class TaskQueue {
 public:
  // `loop` must outlive the queue.
  explicit TaskQueue(EventLoop& loop) : on_posted_(loop, [this] { run(); }) {}

  // Runs `task` soon in the loop's thread, in the order of posting. Takes a lock. Throws
  // std::bad_alloc.
  void post(std::function<void()> task);

 private:
  void run();

  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // Guarded by mutex_.
  Notifier on_posted_;
};

}  // namespace echod::client
