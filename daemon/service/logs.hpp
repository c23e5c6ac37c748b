// Where log lines go: to a file and to standard error, each with its own level, its own bounded
// queue and its own thread that writes (log_thread.hpp). A caller that logs never waits, and
// neither sink holds up the other.
//
// There are two loggers of the same name. What goes through notices() shows on standard error
// whatever its level is set to: start, addresses, limits, reload, stop.
//
// Thread-safety: the loggers are for any thread; everything else is the service's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "config/config.hpp"

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace echod {

class LogFile;
class LogThread;

class Logs {
 public:
  // Starts the writing threads: signals must be blocked by now. A file that cannot be opened is
  // reported on standard error, and is no failure.
  explicit Logs(const LogConfig& config);
  // Does not wait for a thread that cannot write.
  ~Logs() { (void)finish(); }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;

  [[nodiscard]] const std::shared_ptr<spdlog::logger>& logger() const noexcept { return logger_; }
  [[nodiscard]] spdlog::logger& notices() const noexcept { return *notices_; }
  // The same, for one that may live longer than this.
  [[nodiscard]] const std::shared_ptr<spdlog::logger>& notice_logger() const noexcept {
    return notices_;
  }

  // Takes over levels and file; the queue's length stays. Throws std::bad_alloc; nothing has
  // changed then.
  void apply(const LogConfig& config);
  // Opens the file anew, after it was renamed, and logs that once it is open. Throws
  // std::bad_alloc.
  void reopen();
  // Writes what is queued, in at most this time: false if some could not be written. Then a thread
  // may still be in a write, and the process should end without destructors.
  bool finish() noexcept;
  static constexpr std::chrono::milliseconds kPatience{1000};

  // "+0200 (CEST)"
  [[nodiscard]] const std::string& time_zone_at_start() const noexcept {
    return time_zone_at_start_;
  }

  // Lines dropped because a queue was full, and lost because file, stream or memory took none.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept;
  [[nodiscard]] std::uint64_t lost_lines() const noexcept;

 private:
  using Sink = std::shared_ptr<spdlog::sinks::sink>;

  [[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(const Sink& to_stderr) const;

  // Read before there are threads: the main thread must not wait for the disk later.
  const std::string time_zone_at_start_;
  // The loggers may live longer than this: they count failures of memory here.
  std::shared_ptr<std::atomic<std::uint64_t>> failures_;
  std::string path_;
  std::shared_ptr<LogThread> stderr_thread_;
  Sink stderr_;
  Sink notice_stderr_;
  std::shared_ptr<LogFile> file_;
  std::shared_ptr<LogThread> file_thread_;
  Sink to_file_;
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> notices_;
};

// Writes why a start fails to the log file of `config`, if it can be opened, after the Logs are
// gone. Waits at most Logs::kPatience for the disk. Thread-safety: as that of the Logs.
void log_failed_start(const LogConfig& config, std::string_view why) noexcept;

}  // namespace echod
