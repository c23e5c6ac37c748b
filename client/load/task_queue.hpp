// Tasks for the thread of an event loop, from other threads.
//
// Thread-safety: post() is for any thread; everything else belongs to the loop's thread.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include "loop/notifier.hpp"

namespace echod::client {

class TaskQueue {
 public:
  // The loop must outlive it.
  explicit TaskQueue(EventLoop& loop) : on_posted_(loop, [this] { run(); }) {}

  // Runs `task` in the loop's thread, soon, and in the order of posting. Takes a lock, and throws
  // std::bad_alloc.
  void post(std::function<void()> task);

 private:
  void run();

  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // Guarded by mutex_.
  Notifier on_posted_;
};

}  // namespace echod::client
