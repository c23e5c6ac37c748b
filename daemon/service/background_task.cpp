#include "service/background_task.hpp"

#include <utility>

#include "sys/invariant.hpp"
#include "sys/process.hpp"

namespace echod {

BackgroundTask::BackgroundTask(EventLoop& loop, std::string thread_name,
                               std::function<void()> on_done)
    : thread_name_(std::move(thread_name)), on_done_(std::move(on_done)), done_(loop, [this] {
        thread_.join();  // Immediate: notify() is the last call that the thread makes.
        on_done_();
      }) {}

BackgroundTask::~BackgroundTask() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void BackgroundTask::start(std::function<void()> task) {
  invariant(!is_running(), "one task runs at a time");
  thread_ = std::thread([this, task = std::move(task)] {
    sys::name_this_thread(thread_name_);
    task();
    done_.notify();
  });
}

}  // namespace echod
