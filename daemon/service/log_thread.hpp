// A bounded queue of log lines and the thread that writes them.
//
// push() holds the queue's lock only while it copies the line; the lock is never held during a
// write. So a slow write blocks this thread only. If the queue is full, the oldest lines are
// dropped and counted.
//
// A thread that is blocked in a write cannot be joined. It is detached then, and keeps everything
// that it uses alive.
//
// Thread-safety: any thread, except for the constructor, the destructor and finish().
#pragma once

#include <spdlog/details/log_msg.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "sys/io_result.hpp"

namespace echod {

class LogThread {
 public:
  // Writes one line. If it returns EAGAIN, it is called again with the same line. May block and may
  // throw std::bad_alloc.
  using Write = std::function<sys::IoResult(const spdlog::details::log_msg&)>;
  using Task = std::function<void()>;

  // Starts the thread. The caller must have blocked signals. Throws std::system_error.
  LogThread(const std::string& name, std::size_t queue_lines, Write write);
  // Does not wait: detaches the thread unless it has ended already.
  ~LogThread() { (void)finish(std::chrono::milliseconds(0)); }
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  // Queues a line. Never waits for a write.
  void push(const spdlog::details::log_msg& message) noexcept;
  // Runs `task` in the thread before the next call of `write`. Replaces a task that has not
  // started.
  void run_next(Task task) noexcept;

  // Waits until the queued lines are written. Returns false on timeout.
  [[nodiscard]] bool wait_written(std::chrono::milliseconds timeout) noexcept;

  // Writes the queued lines and ends the thread. Returns false on timeout: the thread is detached
  // and may still be in a write, so the process should exit without running destructors.
  [[nodiscard]] bool finish(std::chrono::milliseconds timeout) noexcept;

  // How many lines were dropped because the queue was full.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept;
  // How many writes and tasks failed. The line of a failed write is lost.
  [[nodiscard]] std::uint64_t write_failures() const noexcept;

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace echod
