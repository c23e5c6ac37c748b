#include "service/log_thread.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "service/log_queue.hpp"
#include "sys/process.hpp"

namespace echod {

// The state that the thread uses. A detached thread keeps it alive after the LogThread.
struct LogThread::Shared {
  Shared(std::size_t queue_lines, Write write_line)
      : write(std::move(write_line)), lines(queue_lines) {}

  void run() noexcept;

  const Write write;
  std::atomic<std::uint64_t> write_failures{0};
  std::mutex mutex;  // Guards the members below.
  std::condition_variable changed;
  LogQueue lines;
  Task task;
  bool is_idle = false;  // Nothing is queued or being written.
  bool is_ending = false;
  bool has_ended = false;
};

void LogThread::Shared::run() noexcept {
  std::optional<spdlog::details::log_msg> line;  // The next line to write.
  std::unique_lock lock(mutex);
  while (task || line || !lines.empty() || !is_ending) {
    if (!task && !line && lines.empty()) {
      is_idle = true;
      changed.notify_all();
      changed.wait(lock);
      continue;
    }
    is_idle = false;
    Task next = std::exchange(task, nullptr);
    if (!next && !line) {
      line = lines.pop();
    }
    lock.unlock();
    sys::IoResult result = sys::IoResult::of(0);
    try {
      if (next) {
        next();
      } else {
        result = write(*line);
      }
    } catch (const std::exception&) {
      result = sys::IoResult::failure(ENOMEM);
    }
    const bool must_write_again = result.would_block();
    write_failures += result.ok() || must_write_again ? 0U : 1U;
    if (!next && !must_write_again) {
      line.reset();
    }
    next = nullptr;  // Before locking: it may own the last logger, and with it the LogThread.
    lock.lock();
  }
  has_ended = true;
  changed.notify_all();
}

LogThread::LogThread(const std::string& name, std::size_t queue_lines, Write write)
    : shared_(std::make_shared<Shared>(queue_lines, std::move(write))) {
  try {
    thread_ = std::thread([name, shared = shared_] {
      sys::name_this_thread(name);
      shared->run();
    });
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(), "cannot start the thread that writes the log");
  }
}

void LogThread::push(const spdlog::details::log_msg& message) noexcept {
  const std::scoped_lock lock(shared_->mutex);
  shared_->is_idle = false;
  shared_->lines.push(message);
  shared_->changed.notify_all();
}

void LogThread::run_next(Task task) noexcept {
  const std::scoped_lock lock(shared_->mutex);
  shared_->is_idle = false;
  shared_->task.swap(task);
  shared_->changed.notify_all();
}

bool LogThread::wait_written(std::chrono::milliseconds timeout) noexcept {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, timeout, [this] { return shared_->is_idle; });
}

bool LogThread::finish(std::chrono::milliseconds timeout) noexcept {
  std::unique_lock lock(shared_->mutex);
  shared_->is_ending = true;
  shared_->changed.notify_all();
  const bool has_ended =
      shared_->changed.wait_for(lock, timeout, [this] { return shared_->has_ended; });
  lock.unlock();
  if (thread_.joinable()) {
    if (has_ended) {
      thread_.join();
    } else {
      thread_.detach();
    }
  }
  return has_ended;
}

std::uint64_t LogThread::dropped_lines() const noexcept {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->lines.dropped_lines();
}

std::uint64_t LogThread::write_failures() const noexcept {
  return shared_->write_failures.load();
}

}  // namespace echod
