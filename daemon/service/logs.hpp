// The loggers of echod. They write to the log file and to standard error, each with its own level,
// its own bounded queue and its own writing thread (log_thread.hpp). Logging never blocks, and a
// slow sink does not delay the other.
//
// There are two loggers of the same name. notices() writes to standard error too, whatever the
// level of standard error is. Use it for start, addresses, limits, reload and stop.
//
// Thread-safety: the loggers may be used by any thread; all other members by the service's thread,
// unless a member says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "admin/snapshot.hpp"
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
class RecentLines;

class Logs {
 public:
  // Starts the writing threads. The caller must have blocked signals. A file that cannot be opened
  // is reported on standard error and does not make the constructor fail.
  explicit Logs(const LogConfig& config);
  // Calls finish().
  ~Logs() { (void)finish(); }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;

  [[nodiscard]] const std::shared_ptr<spdlog::logger>& logger() const noexcept { return logger_; }
  [[nodiscard]] spdlog::logger& notices() const noexcept { return *notices_; }
  // The logger of notices(), for a user that may outlive the Logs.
  [[nodiscard]] const std::shared_ptr<spdlog::logger>& notice_logger() const noexcept {
    return notices_;
  }

  // Applies the levels and the file of `config`, but not the queue length. Throws std::bad_alloc;
  // then nothing has changed.
  void apply(const LogConfig& config);
  // Opens the file again, after a rotation, and logs it when the file is open. Does not block.
  // Throws std::bad_alloc.
  void reopen();
  // Writes the queued lines. Blocks for at most `timeout`, after which lines may be left.
  void write_queued(std::chrono::milliseconds timeout) noexcept;
  // Writes the queued lines and ends the threads. Blocks for at most kFinishTimeout. Returns false
  // on timeout: a thread may still be in a write, so the process should exit without running
  // destructors.
  bool finish() noexcept;
  static constexpr std::chrono::milliseconds kFinishTimeout{1000};

  // Such as "+0200 (CEST)".
  [[nodiscard]] const std::string& time_zone_at_start() const noexcept {
    return time_zone_at_start_;
  }

  // Levels and losses. Any thread. Throws std::bad_alloc.
  [[nodiscard]] LogSnapshot figures() const;
  // The last lines of level warning or above. Any thread. May block on the disk, because the time
  // zone of a line may have to be read. Throws std::bad_alloc.
  [[nodiscard]] std::vector<std::string> trouble() const;

  // `dropped` lines and `failures` of an earlier program count too. Call it before others count.
  void restore(std::uint64_t dropped, std::uint64_t failures) noexcept;
  // How many lines were dropped because a queue was full.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept;
  // How many lines were lost because a write failed or memory ran out.
  [[nodiscard]] std::uint64_t write_failures() const noexcept;

 private:
  using Sink = std::shared_ptr<spdlog::sinks::sink>;

  [[nodiscard]] std::shared_ptr<spdlog::logger> make_logger(const Sink& stderr_sink) const;

  // Read at start, because the main thread must not block on the disk later.
  const std::string time_zone_at_start_;
  // Lines lost because memory ran out. Shared, because the loggers may outlive the Logs.
  std::shared_ptr<std::atomic<std::uint64_t>> memory_failures_;
  std::uint64_t dropped_before_ = 0;
  std::string path_;
  std::atomic<bool> has_file_{false};
  std::shared_ptr<LogThread> stderr_thread_;
  Sink stderr_sink_;
  Sink notice_stderr_sink_;
  std::shared_ptr<LogFile> file_;
  std::shared_ptr<LogThread> file_thread_;
  Sink file_sink_;
  std::shared_ptr<RecentLines> trouble_;
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> notices_;
};

// Writes the reason of a failed start to the log file of `config`, if it can be opened. No Logs may
// exist. Blocks for at most Logs::kFinishTimeout.
void log_failed_start(const LogConfig& config, std::string_view why) noexcept;

}  // namespace echod
