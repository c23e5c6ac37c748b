// Where log lines go: to a file and to standard error, each with its own level, through one bounded
// queue and a thread that writes. Whoever logs never waits: when the queue is full its oldest line
// is dropped, and counted.
//
// There are two loggers of the same name. What goes through notices() shows on standard error
// whatever its level is set to: start, addresses, limits, reload, stop.
//
// Thread-safety: the loggers are for any thread; everything else is the service's.
#pragma once

#include <cstdint>
#include <memory>

#include "config.hpp"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace echod {

class LogFileSink;
class StderrSink;

class Logs {
 public:
  // Starts the writing thread: signals must be blocked by now. A file that cannot be opened is
  // reported on standard error, and is no failure.
  explicit Logs(const LogConfig& config);
  ~Logs() { finish(); }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;

  [[nodiscard]] const std::shared_ptr<spdlog::logger>& logger() const noexcept { return logger_; }
  [[nodiscard]] spdlog::logger& notices() const noexcept { return *notices_; }

  // Takes over levels and file, and opens the file anew. The queue's length stays.
  void apply(const LogConfig& config);
  // Writes what is queued. Nothing may be logged afterwards.
  void finish() noexcept;
  // Whether there is a log file, and it could be opened.
  [[nodiscard]] bool is_file_open() const;

  // Lines dropped because the queue was full, and lost because file or stream took none.
  [[nodiscard]] std::uint64_t dropped_lines() const;
  [[nodiscard]] std::uint64_t lost_lines() const noexcept;

 private:
  std::shared_ptr<StderrSink> stderr_;
  std::shared_ptr<StderrSink> notice_stderr_;
  std::shared_ptr<LogFileSink> file_;
  std::shared_ptr<spdlog::details::thread_pool> writer_;
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> notices_;
};

}  // namespace echod
