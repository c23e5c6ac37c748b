#include "client/load/task_queue.hpp"

#include <utility>

namespace echod::client {

void TaskQueue::post(std::function<void()> task) {
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  on_posted_.notify();
}

void TaskQueue::run() {
  std::vector<std::function<void()>> tasks;
  {
    const std::scoped_lock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) {
    task();
  }
}

}  // namespace echod::client
