// A bounded queue of log lines, and the thread that writes them.
//
// A caller that logs takes the queue's lock, which is held while a line is copied and never while
// one is written. When the queue is full its oldest lines are dropped, and counted. A write may
// take any time: it holds up this thread and no other.
//
// A thread whose write does not end cannot be joined. It is left behind then, with all that it
// uses.
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
  // Writes a line, or fails; after EAGAIN it is called with the same line again. May throw
  // std::bad_alloc.
  using Write = std::function<sys::IoResult(const spdlog::details::log_msg&)>;
  using Errand = std::function<void()>;

  // Starts the thread: signals must be blocked by now. Throws std::system_error.
  LogThread(const std::string& name, std::size_t queue_lines, Write write);
  // Leaves the thread behind if it is in a write.
  ~LogThread() { (void)finish(std::chrono::milliseconds(0)); }
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  // Queues a line.
  void push(const spdlog::details::log_msg& message) noexcept;
  // Runs `errand` in the thread before the next call of `write`. Replaces one that has not begun.
  void run_next(Errand errand) noexcept;

  // Writes what is queued, then ends the thread. Returns false if that takes longer than
  // `patience`: the thread is left behind, and the process should end without destructors.
  [[nodiscard]] bool finish(std::chrono::milliseconds patience) noexcept;

  // Lines that fell out of the full queue, and lines that could not be written.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept;
  [[nodiscard]] std::uint64_t lost_lines() const noexcept;

 private:
  struct Shared;

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace echod
